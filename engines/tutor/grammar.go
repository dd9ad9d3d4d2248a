package tutor

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"unicode"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// answer is the JSON that a model is held to.
type answer struct {
	Corrected string `json:"corrected"`
	Notes     []note `json:"notes"`
}

// note is a model's explanation of one mistake. Its words are used, its idea of
// the place is not asked for.
type note struct {
	Wrong       string `json:"wrong"`
	Right       string `json:"right"`
	Type        string `json:"type"`
	Explanation string `json:"explanation"`
}

// TrivialGrammar answers a request that needs no model: a text of nothing but
// space has no mistakes. It returns nil for all others.
func TrivialGrammar(req *gatewayv1.GrammarRequest) *gatewayv1.GrammarResponse {
	if strings.TrimSpace(req.GetText()) != "" {
		return nil
	}
	return &gatewayv1.GrammarResponse{CorrectedText: req.GetText(), Score: 100}
}

// ParseGrammar turns a model's answer into a response. Edits are computed by
// comparing the texts, in Unicode code points of the request's text; applied,
// they give corrected_text exactly. Where the texts differ only in Unicode
// normalisation or in the style of quotation marks, the request's own
// characters are kept.
//
// Errors: INVALID_REQUEST if the answer was cut off, because then the text was
// too long for max_tokens or for the context window; INTERNAL if it is not of
// the agreed shape or corrects a text to nothing (that is never taken for "no
// mistakes", which would be a made-up verdict).
func ParseGrammar(req *gatewayv1.GrammarRequest, modelText string) (*gatewayv1.GrammarResponse, error) {
	if trivial := TrivialGrammar(req); trivial != nil {
		return trivial, nil
	}
	a, err := decodeAnswer(modelText)
	if err != nil {
		return nil, err
	}
	corrected := strings.TrimSpace(a.Corrected)
	if corrected == "" {
		return nil, errs.New(errs.Internal, "the model corrected the text to nothing; try again or ask another model")
	}
	text := req.GetText()
	lead, trail := surroundingSpace(text)
	tokens := tokenize(text)
	edits := mergeMoves(compare(tokens, tokenize(lead+corrected+trail)), tokens)
	describe(edits, tokens, a.Notes)

	res := &gatewayv1.GrammarResponse{Score: score(edits, tokens)}
	for _, e := range edits {
		res.Edits = append(res.Edits, e.proto(tokens))
	}
	res.CorrectedText = Apply(text, res.GetEdits())
	return res, nil
}

// decodeAnswer reads the JSON; text after it is ignored, as some models add a
// line end or a closing fence.
func decodeAnswer(modelText string) (*answer, error) {
	start := strings.IndexByte(modelText, '{')
	if start < 0 {
		if strings.TrimSpace(modelText) == "" {
			return nil, cutOff(io.ErrUnexpectedEOF)
		}
		return nil, errs.New(errs.Internal, "the model did not answer with JSON; try again or ask another model")
	}
	var a answer
	err := json.NewDecoder(strings.NewReader(modelText[start:])).Decode(&a)
	switch {
	case err == nil:
		return &a, nil
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return nil, cutOff(err)
	default:
		return nil, errs.New(errs.Internal, "the model answered with JSON of another shape; try again or ask another model").WithCause(err)
	}
}

func cutOff(cause error) error {
	return errs.New(errs.InvalidRequest,
		"the correction was cut off: the text is too long for max_tokens or the model's context window; send it in smaller parts").WithCause(cause)
}

// Apply returns the text with the edits made. Edits are in order of place, do
// not overlap, and count Unicode code points.
func Apply(text string, edits []*gatewayv1.GrammarEdit) string {
	runes := []rune(text)
	var b strings.Builder
	at := 0
	for _, e := range edits {
		b.WriteString(string(runes[at:e.GetStartOffset()]))
		b.WriteString(e.GetReplacement())
		at = int(e.GetEndOffset())
	}
	b.WriteString(string(runes[at:]))
	return b.String()
}

// surroundingSpace returns the space before and after the text's words.
func surroundingSpace(text string) (lead, trail string) {
	lead = text[:len(text)-len(strings.TrimLeftFunc(text, unicode.IsSpace))]
	trail = text[len(strings.TrimRightFunc(text, unicode.IsSpace)):]
	return lead, trail
}

// score returns the share of words without a correction, 0 to 100. A missing
// word counts against the word after it, or before it at the end; punctuation
// alone counts against none.
func score(edits []edit, tokens []token) float32 {
	total := len(words(tokens))
	if total == 0 {
		return 100
	}
	wrong := map[int]bool{}
	for _, e := range edits {
		markWrong(wrong, e, tokens)
	}
	return 100 * float32(total-len(wrong)) / float32(total)
}

func markWrong(wrong map[int]bool, e edit, tokens []token) {
	found := false
	for i := e.start; i < e.end; i++ {
		if tokens[i].word {
			wrong[i], found = true, true
		}
	}
	if found || len(words(e.replacement)) == 0 {
		return
	}
	for i := e.end; i < len(tokens); i++ {
		if tokens[i].word {
			wrong[i] = true
			return
		}
	}
	for i := e.start - 1; i >= 0; i-- {
		if tokens[i].word {
			wrong[i] = true
			return
		}
	}
}
