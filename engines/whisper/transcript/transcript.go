// Package transcript turns a decoder's tokens into words, and words into text.
package transcript

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Token is a decoder's piece of text. Its bytes may split a character.
type Token struct {
	// Text is the token's bytes.
	Text string
	// Probability is 0 to 1.
	Probability float32
	// Start and End are from the beginning of the audio.
	Start, End time.Duration
}

// Word is a word of a transcript, punctuation included.
type Word struct {
	// Text is the word without blanks at its edges.
	Text string
	// Glued tells that no blank stands before it, as in scripts without blanks.
	Glued bool
	// Start and End are from the beginning of the audio.
	Start, End time.Duration
	// Confidence is the mean probability of its tokens.
	Confidence float32
}

// Segment is a stretch of a transcript, about a sentence.
type Segment struct {
	// Text is as the decoder wrote it, blanks at its edges included.
	Text string
	// Start and End are from the beginning of the audio.
	Start, End time.Duration
	// Words are all words of the text.
	Words []Word
	// Confidence is the mean probability of its tokens.
	Confidence float32
}

// Words assembles tokens to words. A word begins at a blank, or, in scripts that
// write none, with each token; whatever else goes on with the word before it.
// Tokens that split a character stay together; bytes that are no UTF-8 even so
// become U+FFFD.
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
		blank := unicode.IsSpace(first)
		if blank || withoutBlanks(first) {
			// A blank that stands alone belongs to the word after it.
			alone := len(tokensOf) > 0 && strings.TrimSpace(textOf(tokensOf)) == ""
			end()
			glued = !blank && !alone
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

// splitsCharacter tells whether text ends within a character of UTF-8.
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

// word makes a word of its tokens; false if they are nothing but blanks.
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

// Confidence is the mean probability of tokens, 0 for none.
func Confidence(tokens []Token) float32 {
	var sum float32
	for _, t := range tokens {
		sum += t.Probability
	}
	return sum / float32(max(1, len(tokens)))
}

// withoutBlanks tells whether a character belongs to a script that puts no blanks
// between words.
func withoutBlanks(r rune) bool {
	return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer,
		unicode.Myanmar)
}

// Join writes words as a text.
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

// Text writes segments as a text.
func Text(segments []Segment) string {
	var b strings.Builder
	for _, s := range segments {
		b.WriteString(s.Text)
	}
	return Clean(b.String())
}

// Clean makes a decoder's text fit for a message: UTF-8, without blanks at its
// edges.
func Clean(text string) string {
	return strings.TrimSpace(strings.ToValidUTF8(text, "\uFFFD"))
}
