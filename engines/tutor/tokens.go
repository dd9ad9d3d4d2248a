package tutor

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// token is a word, a run of white space, a run of symbols (such as an emoji with
// its modifiers) or one punctuation mark.
type token struct {
	text       string
	key        string // normalised text, for comparisons
	start, end int    // in code points from the beginning of the text
	word       bool
	space      bool
}

type runeClass int

const (
	classPunct runeClass = iota
	classWord
	classSpace
	classSymbol
)

func classOf(r rune) runeClass {
	switch {
	case unicode.IsSpace(r):
		return classSpace
	case unicode.IsLetter(r), unicode.IsDigit(r):
		return classWord
	case unicode.IsSymbol(r), unicode.IsMark(r), unicode.Is(unicode.Cf, r):
		return classSymbol
	default:
		return classPunct
	}
}

// tokenize splits a text into tokens. Their texts joined are the text.
func tokenize(text string) []token {
	runes := []rune(text)
	var tokens []token
	for i := 0; i < len(runes); {
		class := classOf(runes[i])
		end := i + 1
		for class != classPunct && end < len(runes) && continues(runes, end, class) {
			end++
		}
		s := string(runes[i:end])
		tokens = append(tokens, token{
			text: s, key: keyOf(s), start: i, end: end,
			word: class == classWord, space: class == classSpace,
		})
		i = end
	}
	return tokens
}

// continues reports whether the rune at i belongs to the token before it.
// Combining marks belong to their letter; apostrophes and hyphens inside a word
// belong to the word.
func continues(runes []rune, i int, class runeClass) bool {
	r := runes[i]
	if class == classWord {
		if classOf(r) == classWord || unicode.IsMark(r) {
			return true
		}
		inner := strings.ContainsRune("'’ʼ-‐‑", r)
		return inner && i+1 < len(runes) && classOf(runes[i+1]) == classWord
	}
	return classOf(r) == class
}

// typographic maps typographic variants to one form: models replace one by another
// without meaning a correction.
var typographic = strings.NewReplacer(
	"’", "'", "‘", "'", "ʼ", "'", "“", `"`, "”", `"`, "‐", "-", "‑", "-",
	"\u00a0", " ", "\u202f", " ", "\r\n", "\n",
)

// keyOf returns the text that tokens are compared by: s in NFC, with plain
// quotation marks, hyphens and spaces.
func keyOf(s string) string { return typographic.Replace(norm.NFC.String(s)) }

// words returns the keys of the word tokens in lower case.
func words(tokens []token) []string {
	var out []string
	for _, t := range tokens {
		if t.word {
			out = append(out, strings.ToLower(t.key))
		}
	}
	return out
}

// join returns the text of the tokens.
func join(tokens []token) string {
	var b strings.Builder
	for _, t := range tokens {
		b.WriteString(t.text)
	}
	return b.String()
}
