package chatprompt

import (
	"strings"
	"unicode/utf8"
)

// guard marks the places in a message where special tokens are spelled out, or
// could come about together with the template's text around it.
type guard struct {
	specials []string
	byFirst  [256][]string
}

func newGuard(specials []Special) *guard {
	g := &guard{}
	for _, s := range specials {
		if s.Text == "" {
			continue
		}
		g.specials = append(g.specials, s.Text)
		g.byFirst[s.Text[0]] = append(g.byFirst[s.Text[0]], s.Text)
	}
	return g
}

// apply returns content with mark inserted after the first character of every
// special token in it, and at its ends if a special token could lie across them.
// Ordinary text is returned as it is.
func (g *guard) apply(content, mark string) string {
	var b strings.Builder
	if g.opens(content) {
		b.WriteString(mark)
	}
	written := 0
	for i := 0; i < len(content); i++ {
		if !g.begins(content[i:]) {
			continue
		}
		_, size := utf8.DecodeRuneInString(content[i:])
		b.WriteString(content[written : i+size])
		b.WriteString(mark)
		written = i + size
	}
	b.WriteString(content[written:])
	if g.closes(content) {
		b.WriteString(mark)
	}
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
	if strings.TrimSpace(text) == "" {
		return false
	}
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
