package tutor

import (
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"unicode"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// answer is the JSON that a model must return.
type answer struct {
	Corrected string `json:"corrected"`
	Notes     []note `json:"notes"`
}

// note is a model's explanation of one mistake. It has no offsets: those are
// computed.
type note struct {
	Wrong       string `json:"wrong"`
	Right       string `json:"right"`
	Type        string `json:"type"`
	Explanation string `json:"explanation"`
}

// TrivialGrammar returns the response to a text without letters, which has no mistakes.
// It returns nil for all other texts.
func TrivialGrammar(req *gatewayv1.GrammarRequest) *gatewayv1.GrammarResponse {
	if strings.ContainsFunc(joinKeys(tokenize(req.GetText())), unicode.IsLetter) {
		return nil
	}
	return unchanged(req)
}

// unchanged returns the response to a text without mistakes.
func unchanged(req *gatewayv1.GrammarRequest) *gatewayv1.GrammarResponse {
	return &gatewayv1.GrammarResponse{CorrectedText: req.GetText(), Score: 100}
}

// ParseGrammar converts a model's answer to a response. The edits are computed by
// comparing the texts; their offsets are Unicode code points of the request's
// text, and applying them gives corrected_text exactly. Where the texts have the
// same plain form, the request's characters are kept. If the answer cannot be a
// correction of the text, the response has no edits.
//
// It returns INVALID_REQUEST if the answer is incomplete, because then the text
// was too long for max_tokens or for the context window. It returns INTERNAL if
// the answer has another form or if its corrected text is empty: that must not be
// reported as a text without mistakes.
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
		return nil, errs.New(errs.Internal, "the model returned an empty correction: try again, or use another model")
	}
	text := req.GetText()
	corrected = unwrapped(corrected, text)
	tokens := tokenize(text)
	lead, trail := surroundingSpace(joinKeys(tokens))
	after := tokenize(lead + corrected + trail)
	edits := mergeMoves(compare(tokens, after), tokens)
	if !plausible(tokens, after, edits) {
		return unchanged(req), nil
	}
	edits = keepUnknown(edits, tokens, after)
	edits = slices.DeleteFunc(edits, func(e edit) bool {
		return e.hides(tokens) || e.joinsLines(tokens) || e.void(tokens) || e.repeats(tokens) || e.repeated(tokens) ||
			e.styles(tokens) || e.losesMark(tokens, after)
	})
	describe(edits, tokens, a.Notes)

	res := &gatewayv1.GrammarResponse{Score: score(edits, tokens)}
	for _, e := range edits {
		res.Edits = append(res.Edits, e.proto(tokens, text))
	}
	res.CorrectedText = Apply(text, res.GetEdits())
	return res, nil
}

// decodeAnswer decodes the JSON. It ignores text after it: some models add a line
// end or a closing code fence.
func decodeAnswer(modelText string) (*answer, error) {
	start := strings.IndexByte(modelText, '{')
	if start < 0 {
		if strings.TrimSpace(modelText) == "" {
			return nil, incomplete(io.ErrUnexpectedEOF)
		}
		return nil, errs.New(errs.Internal, "the model's answer is not JSON: try again, or use another model")
	}
	var a answer
	err := json.NewDecoder(strings.NewReader(modelText[start:])).Decode(&a)
	switch {
	case err == nil:
		return &a, nil
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return nil, incomplete(err)
	default:
		return nil, errs.New(errs.Internal, "the model's answer has an unexpected JSON structure: try again, or use another model").WithCause(err)
	}
}

func incomplete(cause error) error {
	return errs.New(errs.InvalidRequest,
		"the correction is incomplete: the text is too long for max_tokens or for the model's context window; send it in smaller parts").WithCause(cause)
}

// Apply returns the text with the edits applied. The edits must be in the order of
// the text and must not overlap; their offsets are Unicode code points.
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

// surroundingSpace returns the white space before and after the text.
func surroundingSpace(text string) (lead, trail string) {
	lead = text[:len(text)-len(strings.TrimLeftFunc(text, unicode.IsSpace))]
	trail = text[len(strings.TrimRightFunc(text, unicode.IsSpace)):]
	return lead, trail
}

// score returns the percentage of words without a correction. An inserted word
// counts as a correction of the word after it, or of the last word at the end.
// Edits of punctuation alone do not count.
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
