package tutor

import (
	"fmt"
	"strings"
	"unicode/utf8"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"google.golang.org/protobuf/proto"
)

// Limits of an answer; lengths are in characters. Normal answers are far below
// them; they stop a model that repeats itself.
const (
	maxNotes            = 16
	maxNoteWords        = 80  // of "wrong" and of "right"
	maxNoteExplanation  = 240 // one or two sentences
	noteFrame           = 80  // keys, quotes and type of one note
	correctedExtra      = 32  // what a correction may add to the shortest text
	repetitionsPerBlock = 50  // of a rule of GrammarGBNF
)

// typePrefix comes before the name of an error type in the API's enum.
const typePrefix = "GRAMMAR_ERROR_TYPE_"

// correctedLimit returns the maximum length of a corrected text: one and a half
// times that of the text, plus correctedExtra.
func correctedLimit(text string) int {
	n := utf8.RuneCountInString(strings.TrimSpace(text))
	return n + n/2 + correctedExtra
}

// notesLimit returns the maximum number of notes: 2, plus one for every second
// word.
func notesLimit(text string) int {
	return min(maxNotes, 2+len(strings.Fields(text))/2)
}

// GrammarSampling returns the sampling options of a Grammar answer: those of the
// request, and greedy decoding without penalties where it sets none. Penalties
// would prevent a correction from repeating the text. The default of max_tokens is
// an upper bound; the grammar normally ends the answer long before it.
func GrammarSampling(req *gatewayv1.GrammarRequest) *gatewayv1.SamplingOptions {
	limit := correctedLimit(req.GetText()) + notesLimit(req.GetText())*(2*maxNoteWords+maxNoteExplanation+noteFrame)
	opts := &gatewayv1.SamplingOptions{
		Temperature:      proto.Float32(0),
		RepeatPenalty:    proto.Float32(1),
		PresencePenalty:  proto.Float32(0),
		FrequencyPenalty: proto.Float32(0),
		MaxTokens:        proto.Int32(int32(limit)),
	}
	proto.Merge(opts, req.GetSampling())
	opts.Stop = nil // a stop string would cut the JSON
	return opts
}

// GrammarGBNF returns the llama.cpp grammar of a Grammar answer to req: compact
// JSON with its keys in a fixed order, a corrected text that is not blank, error
// types from the API's enum, and a limit on every length, so that generation
// always ends.
func GrammarGBNF(req *gatewayv1.GrammarRequest) string {
	var b strings.Builder
	fmt.Fprintf(&b, "root ::= \"{\\\"corrected\\\":\\\"\" first %s \"\\\",\\\"notes\\\":[\" notes? \"]}\"\n",
		atMost("char", "block", correctedLimit(req.GetText())-1))
	fmt.Fprintf(&b, "notes ::= note (\",\" note){0,%d}\n", notesLimit(req.GetText())-1)
	fmt.Fprintf(&b, "note ::= \"{\\\"wrong\\\":\\\"\" char{0,%d} \"\\\",\\\"right\\\":\\\"\" char{0,%d} \"\\\",\\\"type\\\":\\\"\" type \"\\\",\\\"explanation\\\":\\\"\" char{1,%d} \"\\\"}\"\n",
		maxNoteWords, maxNoteWords, maxNoteExplanation)
	quoted := make([]string, 0, len(errorTypeNames()))
	for _, name := range errorTypeNames() {
		quoted = append(quoted, `"`+name+`"`)
	}
	fmt.Fprintf(&b, "type ::= %s\n", strings.Join(quoted, " | "))
	fmt.Fprintf(&b, "block ::= char{%d}\n", repetitionsPerBlock)
	b.WriteString("first ::= [^\"\\\\\\x00-\\x20\\x7F] | \"\\\\\" [\"\\\\]\n")
	b.WriteString("char ::= [^\"\\\\\\x00-\\x1F\\x7F] | \"\\\\\" [\"\\\\nrt]\n")
	return b.String()
}

// atMost returns an expression for at most n repetitions of rule. It uses blocks of
// repetitions, because llama.cpp refuses rules that repeat thousands of times.
func atMost(rule, block string, n int) string {
	blocks := n / repetitionsPerBlock
	if blocks == 0 {
		return fmt.Sprintf("%s{0,%d}", rule, n)
	}
	return fmt.Sprintf("%s{0,%d} %s{0,%d}", block, blocks, rule, repetitionsPerBlock-1)
}

// GrammarSchema returns the JSON schema of a Grammar answer to req, for engines
// that accept a schema. It uses only keywords that Gemini documents as supported.
// They cannot limit the length of a text, so only the number of notes is limited
// as in GrammarGBNF; max_tokens limits the rest.
func GrammarSchema(req *gatewayv1.GrammarRequest) map[string]any {
	types := make([]any, 0, len(errorTypeNames()))
	for _, name := range errorTypeNames() {
		types = append(types, name)
	}
	text := map[string]any{"type": "string"}
	note := object(map[string]any{
		"wrong": text, "right": text, "type": map[string]any{"type": "string", "enum": types}, "explanation": text,
	}, "wrong", "right", "type", "explanation")
	return object(map[string]any{
		"corrected": text,
		"notes":     map[string]any{"type": "array", "items": note, "maxItems": notesLimit(req.GetText())},
	}, "corrected", "notes")
}

// object returns the schema of an object with exactly these keys, in this order.
func object(properties map[string]any, keys ...any) map[string]any {
	return map[string]any{
		"type": "object", "properties": properties,
		"required": keys, "propertyOrdering": keys, "additionalProperties": false,
	}
}

// errorTypeNames returns the API's error types without their prefix, in order.
func errorTypeNames() []string {
	values := gatewayv1.GrammarErrorType(0).Descriptor().Values()
	names := make([]string, 0, values.Len())
	for i := 1; i < values.Len(); i++ {
		names = append(names, strings.TrimPrefix(string(values.Get(i).Name()), typePrefix))
	}
	return names
}
