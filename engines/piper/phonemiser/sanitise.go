package phonemiser

import (
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/lexilingo/modelgateway/engines/piper/phonemes"
)

const (
	// maxRun is the maximum number of letters without a space. About 1,300 crash
	// the library in German. No word is that long.
	maxRun = 200

	// maxWordsOnlyRun is maxRun for texts of wordsOnly.
	maxWordsOnlyRun = 50
)

// editedText is a text in which characters were replaced by spaces, and spaces were
// inserted.
type editedText struct {
	text string
	// inserted are the offsets of the inserted spaces.
	inserted []int
}

// restore changes the offsets of clauses to those in the original text.
func (e editedText) restore(clauses []phonemes.Translation) []phonemes.Translation {
	for i, c := range clauses {
		clauses[i].From, clauses[i].To = e.original(c.From), e.original(c.To)
	}
	return clauses
}

// original returns the offset in the original text.
func (e editedText) original(offset int) int { return offset - sort.SearchInts(e.inserted, offset) }

// sanitise removes patterns that are known to crash libespeak-ng 1.52, without
// changing words: a hyphen at the beginning of a word ('"-a"' in Vietnamese) becomes
// a space, and long runs of letters get spaces.
func sanitise(text string) editedText {
	return breakRuns(mapBetween(text, func(before, r, after rune) bool {
		begins := !unicode.In(before, unicode.L, unicode.Nd) && unicode.In(after, unicode.L, unicode.M, unicode.Cf)
		return r != '-' || !begins
	}), maxRun)
}

// wordsOnly keeps the words of a text and the marks that end clauses.
func wordsOnly(text string) editedText {
	return breakRuns(mapBetween(text, func(_, r, after rune) bool {
		return inWord(r) || unicode.IsSpace(r) || strings.ContainsRune(".,;:!?", r) && (after == 0 || unicode.IsSpace(after))
	}), maxWordsOnlyRun)
}

// inWord reports whether r is a letter, a combining mark or a digit.
func inWord(r rune) bool { return unicode.In(r, unicode.L, unicode.M, unicode.N) }

// mapBetween replaces characters for which keep returns false by spaces, one for
// each byte. keep gets the characters before and after r, 0 at the ends of the text.
// Combining marks before r are skipped.
func mapBetween(text string, keep func(before, r, after rune) bool) string {
	out := []byte(text)
	before := rune(0)
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		after := rune(0)
		if i+size < len(text) {
			after, _ = utf8.DecodeRuneInString(text[i+size:])
		}
		if !keep(before, r, after) {
			for j := range size {
				out[i+j] = ' '
			}
		}
		if !unicode.Is(unicode.M, r) {
			before = r
		}
		i += size
	}
	return string(out)
}

// breakRuns inserts a space after each limit letters without one. A letter is not
// separated from its marks, unless it has very many.
func breakRuns(text string, limit int) editedText {
	var out strings.Builder
	var inserted []int
	run := 0
	for _, r := range text {
		if !inWord(r) {
			run = 0
		} else if run >= limit && !unicode.Is(unicode.M, r) || run >= 2*limit {
			inserted = append(inserted, out.Len())
			out.WriteByte(' ')
			run = 1
		} else {
			run++
		}
		out.WriteRune(r)
	}
	return editedText{text: out.String(), inserted: inserted}
}
