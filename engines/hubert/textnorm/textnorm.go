// Package textnorm turns a written English text into the words that a reader
// says: numbers, money, times, units and abbreviations are spelled out, and each
// written word keeps the link to what is said for it.
package textnorm

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Word is a word of the written text.
type Word struct {
	// Text is the word as it was written, without the punctuation around it.
	Text string
	// Readings are the ways to say it, the likeliest first; each is a list of
	// words in lower case, of letters and apostrophes.
	Readings [][]string
	// Pause tells that punctuation follows at which a reader pauses.
	Pause bool
}

// Words splits a text. What has neither a letter nor a digit, and is no sign
// that is read as a word, is no word.
func Words(text string) []Word {
	fields := strings.Fields(plainQuotes(norm.NFC.String(strings.ToValidUTF8(text, " "))))
	var words []Word
	var after context
	for i, field := range fields {
		if i+1 < len(fields) {
			after.next = core(fields[i+1])
		} else {
			after.next = ""
		}
		w := Word{Text: core(field), Pause: strings.ContainsAny(field, ".,;:!?…–—")}
		if w.Text == "" {
			if w.Pause && len(words) > 0 {
				words[len(words)-1].Pause = true
			}
			continue
		}
		w.Readings = dedupe(read(w.Text, field, &after))
		if plain := strings.TrimRight(w.Text, "."); len(w.Readings) > 0 && len(w.Readings[0]) == 1 && w.Readings[0][0] == strings.ToLower(plain) {
			w.Text = plain // no abbreviation: the dot ends a sentence
		}
		words = append(words, w)
	}
	return words
}

// context is what the reading of a word depends on beside it.
type context struct {
	next   string // the word that follows
	number bool   // the word before was a number
	one    bool   // and that number was 1
	money  string // unit of money that is said after a scale word: "$5 million"
}

// plainQuotes maps the typographic apostrophes to the ASCII one.
func plainQuotes(text string) string {
	return strings.NewReplacer("’", "'", "‘", "'", "ʼ", "'", "`", "'", "´", "'").Replace(text)
}

// core strips the punctuation around a word, as far as it does not belong to it.
func core(field string) string {
	if _, ok := symbols()[field]; ok {
		return field
	}
	kept := func(r rune) bool {
		_, money := currencies()[r]
		return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) || money
	}
	word := strings.TrimLeftFunc(field, func(r rune) bool { return !kept(r) && r != '\'' && r != '-' && r != '.' && r != '#' })
	word = strings.TrimRightFunc(word, func(r rune) bool { return !kept(r) && r != '%' && r != '°' && r != '\'' && r != '.' })
	if !strings.ContainsFunc(word, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }) {
		return ""
	}
	return trimEdges(word)
}

// trimEdges strips what core left for numbers and abbreviations where the word
// is neither.
func trimEdges(word string) string {
	if strings.HasSuffix(word, ".") && !isAbbreviation(word) {
		word = strings.TrimRight(word, ".'")
	}
	first := strings.IndexFunc(word, unicode.IsDigit)
	lead := strings.TrimLeft(word, "-.#'")
	signs := word[:len(word)-len(lead)]
	switch {
	case first == len(signs) && (signs == "-" || signs == "." || signs == "#" || signs == "'"):
	case signs == "'" && isClipped(strings.ToLower(lead)):
	default:
		word = lead
	}
	if strings.HasSuffix(word, "'") && !strings.HasSuffix(strings.ToLower(word), "s'") && !strings.HasSuffix(strings.ToLower(word), "in'") {
		word = strings.TrimRight(word, "'")
	}
	return word
}

// isClipped tells words that begin with an apostrophe, 'tis as well as 'em.
func isClipped(word string) bool {
	switch strings.TrimRight(word, "'.") {
	case "tis", "twas", "em", "cause", "til", "n":
		return true
	}
	return false
}

func isAbbreviation(word string) bool {
	key := strings.ToLower(strings.TrimRight(word, "."))
	_, always := abbreviations()[key]
	_, withDot := dotted()[key]
	return always || withDot || key == "st" || key == "no" || isInitials(word)
}

// isInitials tells "U.S." and "J.": single letters with dots.
func isInitials(word string) bool {
	letters := strings.Split(strings.TrimSuffix(word, "."), ".")
	for _, l := range letters {
		if r := []rune(l); len(r) != 1 || !unicode.IsUpper(r[0]) {
			return false
		}
	}
	return strings.Contains(word, ".")
}

// dedupe drops readings that are there twice.
func dedupe(readings [][]string) [][]string {
	seen := map[string]bool{}
	var out [][]string
	for _, r := range readings {
		if key := strings.Join(r, " "); key != "" && !seen[key] {
			seen[key] = true
			out = append(out, r)
		}
	}
	return out
}
