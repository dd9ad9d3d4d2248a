package phonemes

import (
	"context"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/lexilingo/modelgateway/engines/piper/voicefile"
)

// Word is a word of a sentence's text and its symbols.
type Word struct {
	// Text is the word without punctuation around it.
	Text string
	// From and To are its range in the sentence's symbols, at least one symbol.
	From, To int
}

// Words finds the words of a sentence's text in its symbols. Most words of a text
// are one word of the phonemes. In a clause where the numbers differ ("in the"
// becomes one word, "$3.50" several), each word is translated separately, and the
// phonemes of the clause are aligned with those of the words. Words without symbols
// are left out.
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
		aligned, err := alignWords(ctx, p, voice, texts, s.Symbols, groups)
		if err != nil {
			return nil, err
		}
		words = append(words, aligned...)
	}
	return words, nil
}

// textWords returns the words of a text without those that are only punctuation.
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

// groupsOf splits symbols at spaces and punctuation.
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

// isBreak reports whether a symbol separates words.
func isBreak(symbol string) bool { return symbol == "" || strings.Contains(" .,;:?!", symbol) }

// maxCells limits the size of the table of match: 4 MiB.
const maxCells = 4 << 20

// alignWords assigns the symbols of a clause to its words, in order. It translates
// each word separately and aligns the symbols by their edit distance.
func alignWords(ctx context.Context, p Phonemiser, voice *voicefile.Config, texts, symbols []string, groups []group) ([]Word, error) {
	var separate []string // symbols of the words, translated separately
	var wordOf []int      // the index of each symbol's word
	for i, text := range texts {
		translated, err := phonemise(ctx, p, voice, text)
		if err != nil {
			return nil, err
		}
		for _, s := range translated {
			for _, symbol := range s.Symbols {
				if !isBreak(symbol) {
					separate, wordOf = append(separate, symbol), append(wordOf, i)
				}
			}
		}
	}
	var indices []int // of the clause's symbols
	for _, g := range groups {
		for i := g.from; i < g.to; i++ {
			indices = append(indices, i)
		}
	}
	if (len(separate)+1)*(len(indices)+1) > maxCells || len(separate) == 0 {
		return nil, nil
	}
	clause := make([]string, len(indices))
	for i, index := range indices {
		clause[i] = symbols[index]
	}
	var words []Word
	last := -1
	for i, matched := range match(clause, separate) {
		if matched < 0 {
			continue // spoken between two words
		}
		if wordOf[matched] != last {
			last = wordOf[matched]
			words = append(words, Word{Text: norm.NFC.String(texts[last]), From: indices[i]})
		}
		words[len(words)-1].To = indices[i] + 1
	}
	return words, nil
}

// match returns, for each symbol of a, the index of the symbol of b that it is
// aligned with by the Levenshtein distance, or -1.
func match(a, b []string) []int {
	width := len(b) + 1
	steps := make([]byte, (len(a)+1)*width)
	const diagonal, up, left = 0, 1, 2
	row := make([]int, width)
	for j := 1; j < width; j++ {
		row[j], steps[j] = j, left
	}
	for i := 1; i <= len(a); i++ {
		corner := row[0]
		row[0], steps[i*width] = i, up
		for j := 1; j < width; j++ {
			cost := corner
			if a[i-1] != b[j-1] {
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
	matched := make([]int, len(a))
	for i, j := len(a), len(b); i > 0 || j > 0; {
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
