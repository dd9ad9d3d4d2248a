package phonemes

import (
	"context"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/lexilingo/modelgateway/engines/piper/voicefile"
)

// Word is a word of a text, and its part of a sentence's symbols.
type Word struct {
	// Text is the word as in the text, without punctuation around it.
	Text string
	// From and To are its symbols, at least one.
	From, To int
}

// Words finds the words of a sentence's text among its symbols. Most words are
// one in the phonemes too. Where they are not ("in the" becomes one, "$3.50"
// several), each word is translated by itself, and the clause's phonemes are
// given to the words whose own phonemes they are most like. Words that are not
// spoken are left out.
func Words(ctx context.Context, p Phonemiser, voice *voicefile.Config, s Sentence) ([]Word, error) {
	var words []Word
	for _, c := range s.Clauses {
		texts := textWords(c.Text, c.Raw)
		groups := groupsOf(s.Symbols, c.From, c.To)
		if len(texts) == len(groups) {
			for i, g := range groups {
				words = append(words, Word{Text: texts[i], From: g.from, To: g.to})
			}
			continue
		}
		if p == nil || c.Raw || len(texts) == 0 || len(groups) == 0 {
			continue
		}
		alike, err := likeliest(ctx, p, voice, texts, s.Symbols, groups)
		if err != nil {
			return nil, err
		}
		words = append(words, alike...)
	}
	return words, nil
}

// textWords returns the words of a text; what has no letter, digit or symbol is
// none.
func textWords(text string, raw bool) []string {
	if raw {
		text = strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(text), "[["), "]]")
	}
	var words []string
	for _, word := range strings.Fields(text) {
		if word = strings.TrimFunc(word, unicode.IsPunct); word != "" {
			words = append(words, word)
		}
	}
	return words
}

// group is a word of the phonemes.
type group struct{ from, to int }

// groupsOf cuts symbols at spaces and punctuation.
func groupsOf(symbols []string, from, to int) []group {
	var groups []group
	start := -1
	for i := from; i < to; i++ {
		if isBreak(symbols[i]) {
			start = -1
			continue
		}
		if start < 0 {
			start = i
			groups = append(groups, group{from: i})
		}
		groups[len(groups)-1].to = i + 1
	}
	return groups
}

// isBreak tells symbols that are no part of a word.
func isBreak(symbol string) bool { return symbol == "" || strings.Contains(" .,;:?!", symbol) }

// mostCells bounds the table of a comparison: 4 MiB.
const mostCells = 4 << 20

// likeliest gives a clause's symbols to its words, in order, by the cheapest
// edits that make the words' own symbols of the clause's.
func likeliest(ctx context.Context, p Phonemiser, voice *voicefile.Config, texts, symbols []string, groups []group) ([]Word, error) {
	var own []string // symbols of the words
	var of []int     // the word that each is of
	for i, text := range texts {
		translated, err := phonemise(ctx, p, voice, text)
		if err != nil {
			return nil, err
		}
		for _, s := range translated {
			for _, symbol := range s.Symbols {
				if !isBreak(symbol) {
					own, of = append(own, symbol), append(of, i)
				}
			}
		}
	}
	var at []int // indices of the clause's symbols
	for _, g := range groups {
		for i := g.from; i < g.to; i++ {
			at = append(at, i)
		}
	}
	if (len(own)+1)*(len(at)+1) > mostCells || len(own) == 0 {
		return nil, nil
	}
	heard := make([]string, len(at))
	for i, index := range at {
		heard[i] = symbols[index]
	}
	var words []Word
	last := -1
	for i, matched := range match(heard, own) {
		if matched < 0 {
			continue // said between two words
		}
		if of[matched] != last {
			last = of[matched]
			words = append(words, Word{Text: norm.NFC.String(texts[last]), From: at[i]})
		}
		words[len(words)-1].To = at[i] + 1
	}
	return words, nil
}

// match returns, for each symbol heard, the index of the own symbol that it
// stands for, or -1: the backtrace of Levenshtein's distance.
func match(heard, own []string) []int {
	width := len(own) + 1
	steps := make([]byte, (len(heard)+1)*width)
	const diagonal, up, left = 0, 1, 2
	row := make([]int, width)
	for j := 1; j < width; j++ {
		row[j], steps[j] = j, left
	}
	for i := 1; i <= len(heard); i++ {
		corner := row[0]
		row[0], steps[i*width] = i, up
		for j := 1; j < width; j++ {
			cost := corner
			if heard[i-1] != own[j-1] {
				cost++
			}
			step := byte(diagonal)
			if row[j]+1 < cost {
				cost, step = row[j]+1, up
			}
			if row[j-1]+1 < cost {
				cost, step = row[j-1]+1, left
			}
			corner = row[j]
			row[j], steps[i*width+j] = cost, step
		}
	}
	matched := make([]int, len(heard))
	for i, j := len(heard), len(own); i > 0 || j > 0; {
		switch steps[i*width+j] {
		case diagonal:
			i, j = i-1, j-1
			matched[i] = j
		case up:
			i--
			matched[i] = -1
		default:
			j--
		}
	}
	return matched
}
