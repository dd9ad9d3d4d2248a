package transcript

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// tokensOf returns tokens of 100 ms each, the i-th with the probability 1/(i+1).
func tokensOf(texts ...string) []Token {
	var tokens []Token
	for i, text := range texts {
		start := time.Duration(i) * 100 * time.Millisecond
		tokens = append(tokens, Token{Text: text, Probability: 1 / float32(i+1), Start: start, End: start + 100*time.Millisecond})
	}
	return tokens
}

func TestWords(t *testing.T) {
	for name, c := range map[string]struct {
		tokens []string
		words  []string // "+" before a word: glued
	}{
		"none":               {nil, nil},
		"words":              {[]string{" And", " so", " my"}, []string{"And", "so", "my"}},
		"pieces":             {[]string{" Amer", "icans", ","}, []string{"Americans,"}},
		"first without":      {[]string{"And", " so"}, []string{"+And", "so"}},
		"space alone":        {[]string{" ", "And", " ", " so"}, []string{"And", "so"}},
		"only spaces":        {[]string{" ", "  "}, nil},
		"empty tokens":       {[]string{"", " a", "", "b"}, []string{"ab"}},
		"apostrophe":         {[]string{" don", "'t"}, []string{"don't"}},
		"split character":    {[]string{" caf", "\xc3", "\xa9"}, []string{"café"}},
		"split at the front": {[]string{" a", " \xc3", "\xa9t"}, []string{"a", "ét"}},
		"Vietnamese":         {[]string{" ti", "\xe1\xba", "\xbfng", " Vi", "\xe1", "\xbb", "\x87t"}, []string{"tiếng", "Việt"}},
		"Chinese":            {[]string{"你", "\xe5", "\xa5\xbd", "。", "吗"}, []string{"+你", "+好。", "+吗"}},
		"Chinese in English": {[]string{" say", " 你", "好", " now"}, []string{"say", "你", "+好", "now"}},
		"space before Thai":  {[]string{" a", " ", "ก"}, []string{"a", "ก"}},
		"invalid UTF-8":      {[]string{" a\xff", "b\xc3"}, []string{"a\uFFFDb\uFFFD"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, w := range Words(tokensOf(c.tokens...)) {
				text := w.Text
				if w.Glued {
					text = "+" + text
				}
				got = append(got, text)
			}
			// Whether the first word is glued does not matter.
			if len(got) > 0 && len(c.words) > 0 {
				got[0], c.words[0] = strings.TrimPrefix(got[0], "+"), strings.TrimPrefix(c.words[0], "+")
			}
			if !slices.Equal(got, c.words) {
				t.Errorf("got %q, want %q", got, c.words)
			}
		})
	}
}

func TestWordTimesAndConfidence(t *testing.T) {
	words := Words(tokensOf(" one", " tw", "o"))
	if len(words) != 2 {
		t.Fatal(words)
	}
	w := words[1]
	if w.Start != 100*time.Millisecond || w.End != 300*time.Millisecond {
		t.Errorf("the word is from %v to %v", w.Start, w.End)
	}
	if want := float32(1./2+1./3) / 2; w.Confidence < want-1e-6 || w.Confidence > want+1e-6 {
		t.Errorf("confidence %v, want %v", w.Confidence, want)
	}
	// Times of a decoder may decrease, but a word must not end before it begins.
	back := Words([]Token{{Text: " a", Start: time.Second, End: 500 * time.Millisecond}})
	if back[0].End < back[0].Start {
		t.Errorf("a word from %v to %v", back[0].Start, back[0].End)
	}
}

func TestTextIsThatOfTheTokens(t *testing.T) {
	pieces := rapid.SampledFrom([]string{" a", "b", " ", "\xc3", "\xa9", " \xe1\xba", "\xbf", "你", "\xe5\xa5", "\xbd", ",", "'s", "\xff", ""})
	rapid.Check(t, func(t *rapid.T) {
		texts := rapid.SliceOf(pieces).Draw(t, "tokens")
		words := Words(tokensOf(texts...))
		joined := Join(words)
		if !utf8.ValidString(joined) {
			t.Fatalf("%q is not UTF-8", joined)
		}
		squeeze := func(s string) string { return strings.Join(strings.Fields(s), "") }
		if got, want := squeeze(joined), squeeze(Clean(strings.Join(texts, ""))); got != want {
			t.Fatalf("words %q of the text %q", got, want)
		}
		for _, w := range words {
			if w.Text == "" || w.End < w.Start {
				t.Fatalf("word %+v", w)
			}
		}
	})
}

func TestUntil(t *testing.T) {
	whole := Segment{Start: 1, End: 9, Words: []Word{{Start: 1, End: 4}, {Start: 6, End: 9}}}
	want := Segment{Start: 1, End: 5, Words: []Word{{Start: 1, End: 4}, {Start: 5, End: 5}}}
	if got := whole.Until(5); !reflect.DeepEqual(got, want) || whole.Words[1].End != 9 {
		t.Errorf("%v, and the segment is %v", got, whole)
	}
}
