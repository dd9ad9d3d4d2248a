package phonemes

import (
	"iter"
	"regexp"
)

// Limit splits sentences of more than limit symbols. Memory and time of a run grow
// with its length, so a text without full stops must not be one run. A sentence is
// split after the last clause that fits if the part has at least half of limit,
// else after the last space, else anywhere. The iterator splits off one part at a
// time, because splitting a long clause completely takes long.
func Limit(sentences []Sentence, limit int) iter.Seq[Sentence] {
	return func(yield func(Sentence) bool) {
		for _, s := range sentences {
			for len(s.Symbols) > limit {
				first, rest := s.split(splitPoint(s, limit))
				first.Continues = true
				if !yield(first) {
					return
				}
				s = rest
			}
			if len(s.Symbols) > 0 && !yield(s) {
				return
			}
		}
	}
}

// splitPoint returns the number of symbols of the first part, from 1 to limit.
func splitPoint(s Sentence, limit int) int {
	at := 0
	for _, c := range s.Clauses {
		if c.To <= limit {
			at = c.To
		}
	}
	if at >= limit/2 && at > 0 {
		return at
	}
	for i := limit; i > limit/2; i-- {
		if s.Symbols[i-1] == " " {
			return i
		}
	}
	return limit
}

// split splits a sentence after its first n symbols.
func (s Sentence) split(n int) (first, rest Sentence) {
	for _, c := range s.Clauses {
		symbols := s.Symbols[c.From:c.To]
		switch {
		case c.To <= n:
			first.add(c.Text, symbols, c.Raw)
		case c.From >= n:
			rest.add(c.Text, symbols, c.Raw)
		default:
			text := splitClauseText(c.Text, symbols, n-c.From)
			first.add(c.Text[:text], symbols[:n-c.From], c.Raw)
			rest.add(c.Text[text:], symbols[n-c.From:], c.Raw)
		}
	}
	rest.Continues = s.Continues
	return first, rest
}

// splitClauseText returns where to split the text of a clause whose symbols are
// split after the first n. The exact place is not known: the text gets the same
// share of its words as the phonemes.
func splitClauseText(text string, symbols []string, n int) int {
	spaces := func(symbols []string) (count int) {
		for _, s := range symbols {
			if s == " " {
				count++
			}
		}
		return count
	}
	ends := wordEnd.FindAllStringIndex(text, -1)
	all := spaces(symbols) + 1
	words := len(ends) * spaces(symbols[:n]) / all
	if words == 0 {
		return 0
	}
	return ends[words-1][1]
}

// wordEnd matches a word with the white space around it.
var wordEnd = regexp.MustCompile(`\s*\S+\s*`)
