package agreement

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/lexilingo/modelgateway/engines/whisper/transcript"
)

// segments returns the segments of a text in which "|" separates them. Each word
// lasts 1 s.
func segments(text string) []transcript.Segment {
	var all []transcript.Segment
	at := time.Duration(0)
	for part := range strings.SplitSeq(text, "|") {
		s := transcript.Segment{Text: " " + strings.TrimSpace(part), Start: at, Confidence: 1}
		for _, w := range strings.Fields(part) {
			s.Words = append(s.Words, transcript.Word{Text: w, Start: at, End: at + time.Second, Confidence: 1})
			at += time.Second
		}
		s.End = at
		if len(s.Words) > 0 {
			all = append(all, s)
		}
	}
	return all
}

func text(all []transcript.Segment) string {
	var parts []string
	for _, s := range all {
		parts = append(parts, transcript.Clean(s.Text))
	}
	return strings.Join(parts, "|")
}

func TestAgreement(t *testing.T) {
	for name, c := range map[string]struct {
		hypotheses           []string
		committed, tentative string
		final                string // of the last hypothesis
	}{
		"one hypothesis commits nothing":  {[]string{"And so"}, "", "And so", "And so"},
		"two that agree":                  {[]string{"And so", "And so my fellow"}, "And so", " my fellow", "And so my fellow"},
		"two that differ":                 {[]string{"And so", "End so my"}, "", "End so my", "End so my"},
		"the common part":                 {[]string{"And so why", "And so my fellow"}, "And so", " my fellow", "And so my fellow"},
		"punctuation is a difference":     {[]string{"And so", "And, so my"}, "", "And, so my", "And, so my"},
		"committed words stay":            {[]string{"And so", "And so my", "End so my fellow"}, "And so my", " fellow", "And so my fellow"},
		"case of a committed word":        {[]string{"and so", "and so my", "And so my friends"}, "and so my", " friends", "and so my friends"},
		"a word before the committed":     {[]string{"so my", "so my fellow", "And so my fellow men"}, "so my fellow", " men", "so my fellow men"},
		"a committed word is missing":     {[]string{"a b c", "a b c", "a c d e", "a c d e"}, "a b c d e", "", "a b c d e"},
		"an empty hypothesis":             {[]string{"a b", "a b c", ""}, "a b", "", "a b"},
		"segments of the last hypothesis": {[]string{"a b", "a b c", "a b|c d"}, "a b c", " d", "a b|c d"},
	} {
		t.Run(name, func(t *testing.T) {
			var s Text
			for _, h := range c.hypotheses {
				s.Update(segments(h))
			}
			if s.Committed() != c.committed || s.Tentative() != c.tentative {
				t.Errorf("committed %q, tentative %q; want %q, %q", s.Committed(), s.Tentative(), c.committed, c.tentative)
			}
			if got := text(s.Finish()); got != c.final {
				t.Errorf("final %q, want %q", got, c.final)
			}
		})
	}
}

func TestTrim(t *testing.T) {
	for name, c := range map[string]struct {
		hypotheses []string
		forced     bool
		final      string
		end        time.Duration
		committed  string // after it
		tentative  string
	}{
		"nothing committed":        {[]string{"a b|c"}, false, "", 0, "", "a b c"},
		"a whole segment":          {[]string{"a b|c", "a b|c d"}, false, "a b", 2 * time.Second, "c", " d"},
		"half a segment":           {[]string{"a", "a b|c d"}, false, "", 0, "a", " b c d"},
		"two segments":             {[]string{"a|b|c", "a|b|c d"}, false, "a|b", 2 * time.Second, "c", " d"},
		"with committed words":     {[]string{"a b|c", "a b|c d", "x b|c d"}, false, "a b|c d", 4 * time.Second, "", ""},
		"forced":                   {[]string{"a b|c d|e f"}, true, "a b|c d", 4 * time.Second, "", "e f"},
		"forced, one segment":      {[]string{"a b"}, true, "a b", 2 * time.Second, "", ""},
		"forced, none":             {[]string{""}, true, "", 0, "", ""},
		"forced, then silence":     {[]string{"a b", "a b", ""}, true, "a b", 2 * time.Second, "", ""},
		"forced, partly committed": {[]string{"a b|c|d", "a b|x|d"}, true, "a b|x", 3 * time.Second, "", "d"},
	} {
		t.Run(name, func(t *testing.T) {
			var s Text
			for _, h := range c.hypotheses {
				s.Update(segments(h))
			}
			trim := s.Trim
			if c.forced {
				trim = s.Force
			}
			final, end := trim()
			if text(final) != c.final || end != c.end || s.Committed() != c.committed || s.Tentative() != c.tentative {
				t.Errorf("final %q to %v, then %q and %q", text(final), end, s.Committed(), s.Tentative())
			}
		})
	}
}

// A word that is not likely is not committed, nor are those after it, until it is.
func TestUnlikelyWordsAreNotCommitted(t *testing.T) {
	var s Text
	h := segments("one too three")
	h[0].Words[1].Confidence = minConfidence / 2
	for range 3 {
		s.Update(h)
	}
	if s.Committed() != "one" || s.Tentative() != " too three" {
		t.Errorf("committed %q, tentative %q", s.Committed(), s.Tentative())
	}
	s.Update(segments("one two three"))
	s.Update(segments("one two three four"))
	if s.Committed() != "one two three" || s.Tentative() != " four" {
		t.Errorf("committed %q, tentative %q", s.Committed(), s.Tentative())
	}
}

// Finish returns an unchanged hypothesis exactly, including times and spaces.
func TestFinishKeepsAnUnchangedHypothesis(t *testing.T) {
	var s Text
	h := segments("And so my|fellow Americans")
	h[0].Text = "  And so  my" // the decoder's spaces
	s.Update(h[:1])
	s.Update(h)
	if got := s.Finish(); !reflect.DeepEqual(got, h) {
		t.Errorf("got %+v, want %+v", got, h)
	}
}

// Joined without anything between them, the two parts are the text: with a space where
// the script has one.
func TestPartsJoinToTheText(t *testing.T) {
	word := func(text string, glued bool) transcript.Word { return transcript.Word{Text: text, Glued: glued} }
	for want, words := range map[string][]transcript.Word{
		"one two three": {word("one", false), word("two", false), word("three", false)},
		"你好世界":          {word("你好", false), word("世", true), word("界", true)},
	} {
		for committed := range len(words) + 1 {
			s := Text{committed: words[:committed], tentative: words[committed:]}
			if got := s.Committed() + s.Tentative(); got != want {
				t.Errorf("with %d committed words: %q", committed, got)
			}
		}
	}
}

// Whatever the hypotheses are, committed and final text only grows, and Finish
// returns all of it.
func TestCommittedNeverChanges(t *testing.T) {
	words := rapid.SampledFrom([]string{"a", "b", "c", "A", "b.", "|"})
	rapid.Check(t, func(t *rapid.T) {
		var s Text
		var final, reported []string
		check := func(what string) {
			now := append(append([]string(nil), final...), strings.Fields(s.Committed())...)
			if len(now) < len(reported) || !reflect.DeepEqual(now[:len(reported)], reported) && len(reported) > 0 {
				t.Fatalf("%s changed %q to %q", what, reported, now)
			}
			reported = now
		}
		keep := func(all []transcript.Segment) {
			for _, f := range all {
				if len(f.Words) == 0 {
					t.Fatal("a final segment has no words")
				}
				final = append(final, strings.Fields(f.Text)...)
			}
		}
		for range rapid.IntRange(0, 12).Draw(t, "hypotheses") {
			s.Update(segments(strings.Join(rapid.SliceOfN(words, 0, 9).Draw(t, "words"), " ")))
			check("a hypothesis")
			switch rapid.IntRange(0, 4).Draw(t, "then") {
			case 0:
				f, _ := s.Trim()
				keep(f)
				check("a trim")
			case 1:
				f, _ := s.Force()
				keep(f)
				check("a forced trim")
			}
		}
		keep(s.Finish())
		if len(final) < len(reported) || len(reported) > 0 && !reflect.DeepEqual(final[:len(reported)], reported) {
			t.Fatalf("Finish changed %q to %q", reported, final)
		}
	})
}

func TestDifference(t *testing.T) {
	words := func(text string) (out []transcript.Word) {
		for _, w := range strings.Fields(text) {
			out = append(out, transcript.Word{Text: w})
		}
		return out
	}
	for _, c := range []struct {
		first, second string
		want          float64
	}{
		{"", "", 0},
		{"I like tea.", "I like tea.", 0},
		{"I like tea.", "i like tea", 1. / 3},
		{"I like tea.", "I like you.", 1. / 3},
		{"I like tea.", "", 1},
		{"Tea.", "I like tea.", 2.5},
	} {
		if got := Difference(words(c.first), words(c.second)); got != c.want {
			t.Errorf("%q and %q: %v, want %v", c.first, c.second, got, c.want)
		}
	}
}
