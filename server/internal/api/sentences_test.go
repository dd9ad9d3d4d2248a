package api

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/engines/hubert/textnorm"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

const (
	notSaid  = gatewayv1.PronunciationErrorType_PRONUNCIATION_ERROR_TYPE_OMISSION
	inserted = gatewayv1.PronunciationErrorType_PRONUNCIATION_ERROR_TYPE_INSERTION
)

// found is a word that a model has found from one tenth of a second to another.
func found(text string, from, to int) *gatewayv1.PronouncedWord {
	const tenth = 100 * time.Millisecond
	return &gatewayv1.PronouncedWord{Text: text, Start: durationpb.New(time.Duration(from) * tenth), End: durationpb.New(time.Duration(to) * tenth)}
}

// lines describes words, with times in tenths of a second.
func lines(words []*gatewayv1.SpokenWord) string {
	var out []string
	for _, w := range words {
		out = append(out, fmt.Sprintf("%s %.3g-%.3g", w.GetText(), 10*w.GetStart().AsDuration().Seconds(), 10*w.GetEnd().AsDuration().Seconds()))
	}
	return strings.Join(out, ", ")
}

// TestAlignedWords checks which words of a text get which times.
func TestAlignedWords(t *testing.T) {
	missing := func(text string) *gatewayv1.PronouncedWord {
		return &gatewayv1.PronouncedWord{Text: text, ErrorType: notSaid}
	}
	extra := func(text string, from, to int) *gatewayv1.PronouncedWord {
		w := found(text, from, to)
		w.ErrorType = inserted
		return w
	}
	for _, c := range []struct {
		name, text string
		found      []*gatewayv1.PronouncedWord
		want       string
	}{
		{"as written", "Hello, “World”!", []*gatewayv1.PronouncedWord{found("Hello", 1, 3), found("World", 4, 6)}, "Hello 1-3, World 4-6"},
		{"signs", "It’s $5.50 — or 5 €.", []*gatewayv1.PronouncedWord{found("It's", 1, 2), found("$5.50", 2, 5), found("or", 5, 6), found("5", 6, 7), found("€", 7, 8)},
			"It’s 1-2, $5.50 2-5, or 5-6, 5 6-7, € 7-8"},
		{"parts of a word", "a twenty-five b", []*gatewayv1.PronouncedWord{found("a", 0, 1), found("twenty", 1, 3), found("five", 4, 5), found("b", 5, 6)}, "a 0-1, twenty-five 1-5, b 5-6"},
		{"inserted", "a the", []*gatewayv1.PronouncedWord{found("a", 0, 1), extra("the", 3, 4), found("the", 5, 6), extra("x", 6, 7)}, "a 0-1, the 5-6"},
		{"inserted before a number", "paid $5 for", []*gatewayv1.PronouncedWord{found("paid", 0, 1), extra("dollar", 1, 2), extra("x", 3, 4), found("$5", 5, 6), found("for", 6, 7)},
			"paid 0-1, $5 1-6, for 6-7"},
		{"inserted after a number", "paid 5€", []*gatewayv1.PronouncedWord{found("paid", 0, 1), found("5€", 2, 3), extra("x", 3, 5)}, "paid 0-1, 5€ 2-5"},
		{"inserted between", "5€ for", []*gatewayv1.PronouncedWord{found("5€", 2, 3), extra("x", 3, 5), found("for", 6, 7)}, "5€ 2-5, for 6-7"},
		{"not found", "a bb cccc d", []*gatewayv1.PronouncedWord{found("a", 0, 1), missing("bb"), missing("cccc"), found("d", 7, 8)}, "a 0-1, bb 1-3, cccc 3-7, d 7-8"},
		{"first and last not found", "a b c", []*gatewayv1.PronouncedWord{missing("a"), found("b", 2, 3), missing("c")}, "a 0-2, b 2-3, c 3-10"},
		{"no time between", "a b c", []*gatewayv1.PronouncedWord{found("a", 0, 2), missing("b"), found("c", 2, 3)}, "a 0-2, c 2-3"},
		{"not named", "a 🙂 b", []*gatewayv1.PronouncedWord{found("a", 0, 2), found("b", 4, 5)}, "a 0-2, b 4-5"},
		{"out of order", "a b", []*gatewayv1.PronouncedWord{found("a", 4, 6), found("b", 5, 7)}, "a 4-6, b 6-7"},
		{"another text", "a b", []*gatewayv1.PronouncedWord{found("x", 4, 6)}, ""},
		{"nothing said", "a b", []*gatewayv1.PronouncedWord{missing("a"), missing("b")}, ""},
		{"nothing", "a b", nil, ""},
	} {
		s := &sentence{text: c.text, rate: 1000, pcm: make([]byte, 2000)}
		if got := lines(s.words(c.found)); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// FuzzAlignedWords checks that each word that engine hubert names gets its times, and
// that times are in order and within the speech, whatever a model says.
func FuzzAlignedWords(f *testing.F) {
	for _, text := range []string{
		"Dr. Smith paid $5.50 for 2 — or 3?", "100% of it, e.g. 24/7 at 7:15 p.m. & more", "It’s 5 € #7 '90s J. R. R. Tolkien",
		"2½ m² ﬁne İstanbul naïve 10-15 <3 ^ ` ´", "[[həlˈoʊ]] -5 .5 … ...and",
	} {
		f.Add(text, 3)
		f.Add(text, -1)
	}
	f.Fuzz(func(t *testing.T, text string, missing int) {
		named := textnorm.Words(text)
		words := make([]*gatewayv1.PronouncedWord, len(named))
		for i, w := range named {
			if words[i] = found(w.Text, i, i+1); missing > 0 && i%(missing+1) == missing {
				words[i] = &gatewayv1.PronouncedWord{Text: w.Text, ErrorType: notSaid}
			} else if missing < 0 && i%3 == 1 {
				words[i].ErrorType = inserted
			}
		}
		length := time.Duration(len(named)) * 100 * time.Millisecond
		s := &sentence{text: text, start: time.Second, rate: 100, pcm: make([]byte, 2*10*len(named))}
		last := s.start
		for _, w := range s.words(words) {
			if w.GetStart().AsDuration() < last || w.GetEnd().AsDuration() <= w.GetStart().AsDuration() || w.GetEnd().AsDuration() > s.start+length || !w.GetAligned() {
				t.Fatalf("%q: %v after %v", text, w, last)
			}
			last = w.GetEnd().AsDuration()
		}
	})
}

// TestSentences checks how speech is divided into sentences.
func TestSentences(t *testing.T) {
	piece := func(sentence string, samples int, words ...*gatewayv1.SpokenWord) *gatewayv1.SynthesizeResponse {
		return &gatewayv1.SynthesizeResponse{Sentence: sentence, Audio: make([]byte, 2*samples), Words: words}
	}
	big := piece("big", maxSentence/2+1)
	for _, c := range []struct {
		name, text string
		pieces     []*gatewayv1.SynthesizeResponse
		want       string
	}{
		{"two", "x", []*gatewayv1.SynthesizeResponse{piece("a b", 100), piece("", 50), piece("c", 25)}, "a b 0s 150, c 150ms 25"},
		{"one has times", "x", []*gatewayv1.SynthesizeResponse{piece("a", 100, &gatewayv1.SpokenWord{}), piece("", 100), piece("b", 25)}, "b 200ms 25"},
		{"no sentences", "# one\ntwo", []*gatewayv1.SynthesizeResponse{piece("", 100), piece("", 50)}, "one.\ntwo 0s 150"},
		{"nothing said", "x", []*gatewayv1.SynthesizeResponse{piece("…", 100), piece("!", 50)}, ""},
		{"phonemes", "", []*gatewayv1.SynthesizeResponse{piece("a", 100)}, "a fault"},
		{"too long", "x", []*gatewayv1.SynthesizeResponse{big, piece("b", 10)}, "big fault, b 1h9m54.305s 10"},
		{"too many characters", strings.Repeat("ab ", 700), []*gatewayv1.SynthesizeResponse{piece("", 10)}, strings.Repeat("ab ", 699) + "ab fault"},
		{"none", "x", nil, ""},
	} {
		s := sentences{text: c.text, rate: 1000}
		var got []string
		tell := func(done *sentence) {
			switch {
			case done == nil:
			case done.fault != nil:
				if errs.ReasonOf(done.fault) != errs.InvalidRequest {
					t.Errorf("%s: %v", c.name, done.fault)
				}
				got = append(got, done.text+" fault")
			default:
				got = append(got, fmt.Sprintf("%s %v %d", done.text, done.start, len(done.pcm)/2))
			}
		}
		for _, p := range c.pieces {
			tell(s.add(p))
		}
		tell(s.end())
		if all := strings.Join(got, ", "); all != c.want {
			t.Errorf("%s: %q, want %q", c.name, all, c.want)
		}
	}
}
