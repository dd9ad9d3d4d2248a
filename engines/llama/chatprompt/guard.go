package chatprompt

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// guard marks the places in a message where its text has a special token, or could
// form one together with the template's text around it.
type guard struct {
	specials []string // without space at the ends
	byFirst  [256][]string
}

func newGuard(specials []Special) *guard {
	g := &guard{}
	for _, s := range specials {
		// Space at the ends of a token may come from the template or the message.
		text := strings.TrimFunc(s.Text, unicode.IsSpace)
		if text == "" {
			continue
		}
		g.specials = append(g.specials, text)
		g.byFirst[text[0]] = append(g.byFirst[text[0]], text)
	}
	return g
}

// apply returns content with mark inserted after the first character of every
// special token in it, and at the ends of its text if a special token could extend
// across them, not counting space, which templates may trim. Text without special
// tokens is returned unchanged.
func (g *guard) apply(content, mark string) string {
	left := strings.TrimLeftFunc(content, unicode.IsSpace)
	lead := content[:len(content)-len(left)]
	words := strings.TrimRightFunc(left, unicode.IsSpace)
	trail := left[len(words):]
	if words == "" {
		return content
	}
	var b strings.Builder
	b.WriteString(lead)
	if g.mayEndSpecial(words) {
		b.WriteString(mark)
	}
	written := 0
	for i := range len(words) {
		if !g.startsWithSpecial(words[i:]) {
			continue
		}
		_, size := utf8.DecodeRuneInString(words[i:])
		b.WriteString(words[written : i+size])
		b.WriteString(mark)
		written = i + size
	}
	b.WriteString(words[written:])
	if g.mayStartSpecial(words) {
		b.WriteString(mark)
	}
	b.WriteString(trail)
	return b.String()
}

// startsWithSpecial reports whether text starts with a special token.
func (g *guard) startsWithSpecial(text string) bool {
	for _, s := range g.byFirst[text[0]] {
		if strings.HasPrefix(text, s) {
			return true
		}
	}
	return false
}

// mayEndSpecial reports whether text could contain the end, or the middle, of a
// special token that starts in the template.
func (g *guard) mayEndSpecial(text string) bool {
	for _, s := range g.specials {
		if len(text) < len(s) && strings.Contains(s, text) {
			return true
		}
		for i := 1; i < len(s); i++ {
			if strings.HasPrefix(text, s[i:]) {
				return true
			}
		}
	}
	return false
}

// mayStartSpecial reports whether text could contain the start of a special token
// that ends in the template.
func (g *guard) mayStartSpecial(text string) bool {
	for _, s := range g.specials {
		for i := 1; i < len(s); i++ {
			if strings.HasSuffix(text, s[:i]) {
				return true
			}
		}
	}
	return false
}
