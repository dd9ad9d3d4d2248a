// Package transcript assembles words from the tokens of a decoder, and text from
// words.
package transcript

import (
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Token is a token of text. It may contain only a part of a character.
type Token struct {
	// Text is the token's bytes.
	Text string
	// Probability is 0 to 1.
	Probability float32
	// Start and End are relative to the beginning of the audio.
	Start, End time.Duration
}

// Word is a word of a transcript with its punctuation.
type Word struct {
	// Text is the word without spaces around it.
	Text string
	// Glued reports whether no space comes before the word, as in scripts without
	// spaces.
	Glued bool
	// Start and End are relative to the beginning of the audio.
	Start, End time.Duration
	// Confidence is the mean probability of its tokens.
	Confidence float32
}

// Segment is a part of a transcript, about a sentence.
type Segment struct {
	// Text is the decoder's text, including spaces around it.
	Text string
	// Start and End are relative to the beginning of the audio.
	Start, End time.Duration
	// Words are all words of the text.
	Words []Word
	// Confidence is the mean probability of its tokens.
	Confidence float32
}

// Until returns the segment with no time after end.
func (s Segment) Until(end time.Duration) Segment {
	s.Start, s.End = min(s.Start, end), min(s.End, end)
	s.Words = slices.Clone(s.Words)
	for i, w := range s.Words {
		s.Words[i].Start, s.Words[i].End = min(w.Start, end), min(w.End, end)
	}
	return s
}

// Words assembles words from tokens. A word begins at a space or, in scripts without
// spaces, with each token. Tokens that share a character belong to one word. Invalid
// UTF-8 becomes U+FFFD.
func Words(tokens []Token) []Word {
	var words []Word
	var tokensOf []Token // of the last word
	glued := false
	end := func() {
		if w, ok := word(tokensOf); ok {
			w.Glued = glued
			words = append(words, w)
		}
		tokensOf = nil
	}
	for _, group := range characters(tokens) {
		first, _ := utf8.DecodeRuneInString(group[0].Text)
		if len(group) > 1 {
			first, _ = utf8.DecodeRuneInString(textOf(group))
		}
		space := unicode.IsSpace(first)
		if space || withoutSpaces(first) {
			// A token that is only a space belongs to the word after it.
			onlySpace := len(tokensOf) > 0 && strings.TrimSpace(textOf(tokensOf)) == ""
			end()
			glued = !space && !onlySpace
		}
		tokensOf = append(tokensOf, group...)
	}
	end()
	return words
}

// characters groups tokens that share a character.
func characters(tokens []Token) [][]Token {
	var groups [][]Token
	var group []Token
	for _, t := range tokens {
		if t.Text == "" {
			continue
		}
		group = append(group, t)
		if !splitsCharacter(textOf(group)) {
			groups = append(groups, group)
			group = nil
		}
	}
	if len(group) > 0 {
		groups = append(groups, group)
	}
	return groups
}

// splitsCharacter reports whether text ends inside a UTF-8 character.
func splitsCharacter(text string) bool {
	for i := len(text) - 1; i >= 0 && i >= len(text)-utf8.UTFMax+1; i-- {
		if utf8.RuneStart(text[i]) {
			return !utf8.FullRuneInString(text[i:])
		}
	}
	return false
}

func textOf(tokens []Token) string {
	if len(tokens) == 1 {
		return tokens[0].Text
	}
	var b strings.Builder
	for _, t := range tokens {
		b.WriteString(t.Text)
	}
	return b.String()
}

// word returns the word of these tokens; false if they are only spaces.
func word(tokens []Token) (Word, bool) {
	text := strings.TrimSpace(strings.ToValidUTF8(textOf(tokens), "\uFFFD"))
	if text == "" {
		return Word{}, false
	}
	w := Word{Text: text, Start: tokens[0].Start, Confidence: Confidence(tokens)}
	w.End = w.Start
	for _, t := range tokens {
		w.End = max(w.End, t.End)
	}
	return w, true
}

// Confidence returns the mean probability of tokens; 0 if there are none.
func Confidence(tokens []Token) float32 {
	var sum float32
	for _, t := range tokens {
		sum += t.Probability
	}
	return sum / float32(max(1, len(tokens)))
}

// withoutSpaces reports whether a character belongs to a script without spaces between
// words.
func withoutSpaces(r rune) bool {
	return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer,
		unicode.Myanmar)
}

// Join returns the text of words.
func Join(words []Word) string {
	var b strings.Builder
	for i, w := range words {
		if i > 0 && !w.Glued {
			b.WriteByte(' ')
		}
		b.WriteString(w.Text)
	}
	return b.String()
}

// Text returns the text of segments.
func Text(segments []Segment) string {
	var b strings.Builder
	for _, s := range segments {
		b.WriteString(s.Text)
	}
	return Clean(b.String())
}

// Clean returns a decoder's text as valid UTF-8 without spaces around it.
func Clean(text string) string {
	return strings.TrimSpace(strings.ToValidUTF8(text, "\uFFFD"))
}
