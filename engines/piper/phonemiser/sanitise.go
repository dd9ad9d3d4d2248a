package phonemiser

import (
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/lexilingo/modelgateway/engines/piper/phonemes"
)

const (
	// mostRun is the most letters without a space that the library is given:
	// German's crashes it with about 1,300. No word of a language is as long.
	mostRun = 200

	// mostPlainRun is the same of plain texts.
	mostPlainRun = 50
)

// edited is a text with spaces where others were, and others in between.
type edited struct {
	text string
	// inserted are the offsets of the spaces that the original does not have.
	inserted []int
}

// restore moves clauses to where they lie in the original.
func (e edited) restore(clauses []phonemes.Translation) []phonemes.Translation {
	for i, c := range clauses {
		clauses[i].From, clauses[i].To = e.original(c.From), e.original(c.To)
	}
	return clauses
}

// original returns where an offset lies in the original.
func (e edited) original(offset int) int { return offset - sort.SearchInts(e.inserted, offset) }

// sanitise takes out of a text what is known to crash libespeak-ng 1.52 and
// changes no words: a hyphen that begins a word ('"-a"' in Vietnamese) becomes a
// space, and letters without end are given spaces.
func sanitise(text string) edited {
	return breakRuns(mapBetween(text, func(before, r, after rune) bool {
		begins := !unicode.In(before, unicode.L, unicode.Nd) && unicode.In(after, unicode.L, unicode.M, unicode.Cf)
		return r != '-' || !begins
	}), mostRun)
}

// plain leaves of a text its words, and the marks that end clauses.
func plain(text string) edited {
	return breakRuns(mapBetween(text, func(_, r, after rune) bool {
		return inWord(r) || unicode.IsSpace(r) || strings.ContainsRune(".,;:!?", r) && (after == 0 || unicode.IsSpace(after))
	}), mostPlainRun)
}

// inWord tells letters, their marks, and digits.
func inWord(r rune) bool { return unicode.In(r, unicode.L, unicode.M, unicode.N) }

// mapBetween puts spaces in place of the characters that are not to be kept, one
// for each byte. keep is told their neighbours, 0 at the text's ends; before marks,
// it is the letter that they are on.
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

// breakRuns puts a space behind each most letters without one, if a letter's marks
// do not follow without end.
func breakRuns(text string, most int) edited {
	var out strings.Builder
	var inserted []int
	run := 0
	for _, r := range text {
		if !inWord(r) {
			run = 0
		} else if run >= most && !unicode.Is(unicode.M, r) || run >= 2*most {
			inserted = append(inserted, out.Len())
			out.WriteByte(' ')
			run = 1
		} else {
			run++
		}
		out.WriteRune(r)
	}
	return edited{text: out.String(), inserted: inserted}
}
