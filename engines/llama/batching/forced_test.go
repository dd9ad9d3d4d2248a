package batching

import (
	"slices"
	"testing"
	"time"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// signs is a vocabulary in which each token of the fake model is a sign of its own, and
// which drafts some of them wrongly. The fake model never ends.
type signs struct{}

const forcedEnd = Token(fakeVocabulary)

func (signs) Piece(t Token) []byte { return []byte{byte('0' + t)} }
func (signs) IsEnd(t Token) bool   { return t == forcedEnd }

func (signs) Draft(text string) (out []Token) {
	for _, c := range []byte(text) {
		t := Token(c - '0')
		if t%10 == 0 {
			t++
		}
		out = append(out, t)
	}
	return out
}

// TestForcedTextSavesBatches checks that a text that the grammar forces is drafted, and
// that it is the sampler that decides in which tokens it is written.
func TestForcedTextSavesBatches(t *testing.T) {
	const tokens = 300
	s, f, sizes := timedFake(t, time.Millisecond)
	s.vocab = signs{}
	prompt := sequenceOf(2, 5)
	want := continuationWithoutEnd(prompt, tokens)
	chooser := &fakeSampler{executor: f, forced: func(chosen []Token) (string, Token) {
		var text []byte
		if at := len(chosen); at%10 < 6 { // of 10 tokens, 6 are forced
			for _, next := range want[at:min(at+6-at%10, tokens)] {
				text = append(text, signs{}.Piece(next)...)
			}
		}
		return string(text), NoToken
	}}
	if _, err := s.Generate(t.Context(), Request{Prompt: prompt, MaxTokens: tokens, Sampler: chooser}, func(Output) error { return nil }); err != nil || f.problem != nil {
		t.Fatal(err, f.problem)
	}
	if !slices.Equal(chooser.chosen, want) {
		t.Errorf("chose %v, without drafts %v", chooser.chosen, want)
	}
	t.Logf("%d batches for %d tokens", len(*sizes), tokens)
	if len(*sizes) > tokens*7/10 {
		t.Errorf("%d batches for %d tokens", len(*sizes), tokens)
	}
}

// TestForcedEnd checks that the end that a grammar forces needs no batch, and counts as a
// token.
func TestForcedEnd(t *testing.T) {
	const tokens = 7
	s, f, sizes := timedFake(t, time.Millisecond)
	chooser := &fakeSampler{executor: f, forced: func(chosen []Token) (string, Token) {
		if len(chosen) == tokens {
			return "", forcedEnd
		}
		return "", NoToken
	}}
	s.vocab = signs{}
	prompt := sequenceOf(2, 5)
	text := ""
	r, err := s.Generate(t.Context(), Request{Prompt: prompt, MaxTokens: 100, Sampler: chooser}, func(o Output) error { text += o.Text; return nil })
	if err != nil || f.problem != nil {
		t.Fatal(err, f.problem)
	}
	if r.Finish != gatewayv1.FinishReason_FINISH_REASON_STOP || r.CompletionTokens != tokens+1 || len(*sizes) != tokens || len(text) != tokens {
		t.Errorf("%+v, %d batches, %q", r, len(*sizes), text)
	}
}

// TestWrites checks which drafts are taken for a forced text.
func TestWrites(t *testing.T) {
	s := &Scheduler{vocab: letters{}}
	for name, c := range map[string]struct {
		text   string
		found  []Token
		most   int
		writes bool
		forced int
	}{
		"nothing found":    {"bc", nil, 4, false, 0},
		"the text":         {"bc", []Token{1, 2}, 4, true, 2},
		"goes on":          {"bc", []Token{1, 2, 9}, 4, true, 2},
		"other tokens":     {"bc", []Token{27, 28, 9}, 4, true, 2},
		"another text":     {"bc", []Token{1, 3}, 4, false, 1},
		"ends too early":   {"bcd", []Token{1, 2}, 4, false, 2},
		"no room for more": {"bcd", []Token{1, 2}, 2, true, 2},
		"no room":          {"bcd", []Token{}, 0, false, 0},
	} {
		p := &part{seq: &sequence{forced: c.text}}
		if writes := s.writes(p, c.found, c.most); writes != c.writes || p.forced != c.forced {
			t.Errorf("%s: %v, %d tokens within the text", name, writes, p.forced)
		}
	}
}
