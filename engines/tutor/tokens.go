package tutor

import (
	"strings"
	"unicode"
)

// token is a word, a run of white space, a run of symbols (such as an emoji with
// its modifiers) or one punctuation mark.
type token struct {
	text       string
	key        string // its plain form, for comparisons
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

// tokenize splits a text into the tokens of its plain form. Hidden characters are in
// no token, or within one.
func tokenize(text string) []token {
	runes, plain := []rune(text), plainOf(text, hiddenInGrammar)
	var tokens []token
	for i := 0; i < len(plain); {
		class := classOf(plain[i].r)
		end := i + 1
		for end < len(plain) && (plain[end].from == plain[i].from || class != classPunct && continues(plain, end, class)) {
			end++
		}
		from, to := plain[i].from, plain[end-1].to
		tokens = append(tokens, token{
			text: string(runes[from:to]), key: keysOf(plain[i:end]), start: from, end: to,
			word: class == classWord, space: class == classSpace,
		})
		i = end
	}
	return tokens
}

// continues reports whether the character at i belongs to the token before it.
// Combining marks belong to their letter; apostrophes and hyphens inside a word
// belong to the word.
func continues(plain []plainRune, i int, class runeClass) bool {
	r := plain[i].r
	if class == classWord {
		if classOf(r) == classWord || unicode.IsMark(r) || plain[i].from == plain[i-1].from {
			return true
		}
		return strings.ContainsRune("'-", r) && i+1 < len(plain) && classOf(plain[i+1].r) == classWord
	}
	return classOf(r) == class
}

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

// joinKeys returns the plain form of the tokens.
func joinKeys(tokens []token) string {
	var b strings.Builder
	for _, t := range tokens {
		b.WriteString(t.key)
	}
	return b.String()
}
