package jsongrammar

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// filterOnly removes the values of an enum that other keywords of the shape forbid.
func (c *compiler) filterOnly(s *shape) {
	if !s.enum {
		return
	}
	var m *automaton
	if slices.ContainsFunc(s.only, func(v *value) bool { return v.kind == text }) {
		m = c.stringAutomaton(s)
	}
	s.only = slices.DeleteFunc(slices.Clone(s.only), func(v *value) bool {
		c.rules.spend(1 + len(v.text))
		return !s.permits(v, m)
	})
}

// permits reports whether a value of an enum is valid. m, if not nil, accepts the strings
// that patterns and formats allow. It refuses keywords that would take a validator.
func (s *shape) permits(v *value, m *automaton) bool {
	switch t := v.typeOf(); {
	case s.types&t == 0:
		return false
	case t&typeNumber != 0:
		return s.low.allowsAbove(v.number()) && s.high.allowsBelow(v.number())
	case t == typeString:
		n := utf8.RuneCountInString(v.text)
		return n >= s.shortest && (s.longest == noCount || n <= s.longest) && (m == nil || m.matches(v.text))
	case t == typeObject && s.hints&typeObject != 0 || t == typeArray && s.hints&typeArray != 0:
		refuse("it has an enum or const with objects or lists at %s, and other keywords for their content: leave those out", shorten(v.pointer()))
	}
	return true
}

// addEnum adds the values of an enum.
func (c *compiler) addEnum(r Rule, s *shape) {
	words := make([]string, len(s.only))
	for i, v := range s.only {
		words[i] = v.encode()
	}
	slices.Sort(words)
	c.addWords(r, slices.Compact(words))
}

// addWords adds words, which are sorted. They share their beginnings, so that a long
// enum does not slow the sampler.
func (c *compiler) addWords(r Rule, words []string) {
	for len(words) > 0 {
		if words[0] == "" {
			c.rules.or(r)
			words = words[1:]
			continue
		}
		first, _ := utf8.DecodeRuneInString(words[0])
		n := 1
		for n < len(words) && strings.HasPrefix(words[n], string(first)) {
			n++
		}
		c.rules.spend(n)
		begin := commonPrefix(words[0], words[n-1])
		if n == 1 {
			c.rules.or(r, literal(words[0]))
		} else {
			rest := c.rules.add()
			c.rules.or(r, literal(begin), once(rest))
			tails := make([]string, n)
			for i, word := range words[:n] {
				tails[i] = word[len(begin):]
			}
			c.addWords(rest, tails)
		}
		words = words[n:]
	}
}

// commonPrefix returns the characters with which both begin.
func commonPrefix(a, b string) string {
	n := 0
	for i, r := range a {
		if !strings.HasPrefix(b[i:], string(r)) {
			break
		}
		n = i + utf8.RuneLen(r)
	}
	return a[:n]
}
