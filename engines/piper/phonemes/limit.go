package phonemes

import (
	"iter"
	"regexp"
)

// Limit cuts sentences of more than most symbols: where memory and time of a run
// grow with its length, a text without full stops must not be one run. The cut
// is behind the last clause that fits, if that leaves at least half, else behind
// the last space, else anywhere. Each part is cut when it is asked for: a text of
// one clause takes a while to cut to its end.
func Limit(sentences []Sentence, most int) iter.Seq[Sentence] {
	return func(yield func(Sentence) bool) {
		for _, s := range sentences {
			for len(s.Symbols) > most {
				first, rest := s.cut(cutAt(s, most))
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

// cutAt returns how many symbols the first part gets, from 1 to most.
func cutAt(s Sentence, most int) int {
	at := 0
	for _, c := range s.Clauses {
		if c.To <= most {
			at = c.To
		}
	}
	if at >= most/2 && at > 0 {
		return at
	}
	for i := most; i > most/2; i-- {
		if s.Symbols[i-1] == " " {
			return i
		}
	}
	return most
}

// cut cuts a sentence in two behind its first n symbols.
func (s Sentence) cut(n int) (first, rest Sentence) {
	for _, c := range s.Clauses {
		symbols := s.Symbols[c.From:c.To]
		switch {
		case c.To <= n:
			first.add(c.Text, symbols, c.Raw)
		case c.From >= n:
			rest.add(c.Text, symbols, c.Raw)
		default:
			text := cutText(c.Text, symbols, n-c.From)
			first.add(c.Text[:text], symbols[:n-c.From], c.Raw)
			rest.add(c.Text[text:], symbols[n-c.From:], c.Raw)
		}
	}
	rest.Continues = s.Continues
	return first, rest
}

// cutText returns where a clause's text is cut when its symbols are cut behind
// the first n: behind as large a part of its words as of the phonemes' words.
// Most words are one on either side; nothing tells the exact place.
func cutText(text string, symbols []string, n int) int {
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

// wordEnd is a word with the space behind it.
var wordEnd = regexp.MustCompile(`\s*\S+\s*`)
