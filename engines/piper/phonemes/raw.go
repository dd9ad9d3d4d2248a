package phonemes

import (
	"regexp"
	"strings"
)

// sentenceEnd is where a text of phonemes is cut into sentences.
var sentenceEnd = regexp.MustCompile(`[.!?]\s+|\n+`)

// FromPhonemes makes the sentences of a text that is phonemes already. A
// sentence ends at ".", "?" or "!" before a space, and at a line's end.
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
