package phonemes

import (
	"regexp"
	"strings"
)

// sentenceEnd matches the end of a sentence in a text of phonemes.
var sentenceEnd = regexp.MustCompile(`[.!?]\s+|\n+`)

// FromPhonemes returns the sentences of a text of phonemes. A sentence ends at ".",
// "?" or "!" before white space, and at the end of a line.
func FromPhonemes(text string) []Sentence {
	var sentences []Sentence
	add := func(part string) {
		var s Sentence
		s.add(part, symbolsOf(strings.TrimSpace(part)), true)
		sentences = append(sentences, s)
	}
	at := 0
	for _, span := range sentenceEnd.FindAllStringIndex(text, -1) {
		add(text[at:span[1]])
		at = span[1]
	}
	add(text[at:])
	return withSymbols(sentences)
}
