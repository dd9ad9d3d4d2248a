package chatprompt

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// guard marks the places in a message where special tokens are spelled out, or
// could come about together with the template's text around it.
type guard struct {
	specials []string // none of them with space at its ends
	byFirst  [256][]string
}

func newGuard(specials []Special) *guard {
	g := &guard{}
	for _, s := range specials {
		// A token's own space at its ends may come from anywhere.
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
// special token in it, and at the ends of its words if a special token could lie
// across them: templates may trim the space around. Ordinary text is returned as
// it is.
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
	if g.opens(words) {
		b.WriteString(mark)
	}
	written := 0
	for i := range len(words) {
		if !g.begins(words[i:]) {
			continue
		}
		_, size := utf8.DecodeRuneInString(words[i:])
		b.WriteString(words[written : i+size])
		b.WriteString(mark)
		written = i + size
	}
	b.WriteString(words[written:])
	if g.closes(words) {
		b.WriteString(mark)
	}
	b.WriteString(trail)
	return b.String()
}

// begins tells whether text begins with a special token.
func (g *guard) begins(text string) bool {
	for _, s := range g.byFirst[text[0]] {
		if strings.HasPrefix(text, s) {
			return true
		}
	}
	return false
}

// opens tells whether text could be the end, or the middle, of a special token
// that the template begins.
func (g *guard) opens(text string) bool {
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

// closes tells whether text could be the beginning of a special token that the
// template ends.
func (g *guard) closes(text string) bool {
	for _, s := range g.specials {
		for i := 1; i < len(s); i++ {
			if strings.HasSuffix(text, s[:i]) {
				return true
			}
		}
	}
	return false
}
