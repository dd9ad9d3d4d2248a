package jsongrammar

import (
	"slices"
	"strings"
)

// The methods below add rules around those of schemas. Their number depends on the
// number of tools of a request, which is bounded.

// free adds a rule that does not count against the bounds.
func (b *Builder) free(alternatives ...[]symbol) Rule {
	b.rules.alternatives = append(b.rules.alternatives, alternatives)
	return Rule(len(b.rules.alternatives) - 1)
}

// literal adds a rule for a text.
func (b *Builder) literal(s string) Rule { return b.free([]symbol{literal(s)}) }

// gbnf adds a rule for an expression in GBNF.
func (b *Builder) gbnf(expression string) Rule { return b.free([]symbol{raw(expression)}) }

// sequence adds a rule for rules that follow each other.
func (b *Builder) sequence(rules ...Rule) Rule {
	symbols := make([]symbol, len(rules))
	for i, r := range rules {
		symbols[i] = once(r)
	}
	return b.free(symbols)
}

// oneOf adds a rule for one of several rules.
func (b *Builder) oneOf(rules ...Rule) Rule {
	alternatives := make([][]symbol, len(rules))
	for i, r := range rules {
		alternatives[i] = []symbol{once(r)}
	}
	return b.free(alternatives...)
}

// repeat adds a rule for up to most times a rule.
func (b *Builder) repeat(r Rule, most int) Rule {
	return b.free([]symbol{{rule: r, max: most}})
}

// textUntil adds a rule for text up to the first occurrence of a mark, and what follows
// it. mayEnd says that the text may end without the mark.
func (b *Builder) textUntil(mark string, then Rule, mayEnd bool) Rule {
	chars := []rune(mark)
	states := make([]Rule, len(chars)+1)
	for i := range chars {
		states[i] = b.free()
	}
	states[len(chars)] = then
	for i := range chars {
		var alternatives [][]symbol
		if mayEnd {
			alternatives = append(alternatives, nil)
		}
		var others strings.Builder // characters that do not lead back to the start
		for _, ch := range slices.Compact(slices.Sorted(slices.Values(chars))) {
			if next := longestPrefix(chars, append(slices.Clone(chars[:i]), ch)); next > 0 {
				alternatives = append(alternatives, []symbol{literal(string(ch)), once(states[next])})
				others.WriteString(classChar(ch))
			}
		}
		alternatives = append(alternatives, []symbol{raw("[^" + others.String() + "]"), once(states[0])})
		b.rules.alternatives[states[i]] = alternatives
	}
	return states[0]
}

// longestPrefix returns the length of the longest prefix of mark at the end of text.
func longestPrefix(mark, text []rune) int {
	for n := min(len(mark), len(text)); n > 0; n-- {
		if slices.Equal(mark[:n], text[len(text)-n:]) {
			return n
		}
	}
	return 0
}
