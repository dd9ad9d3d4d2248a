// Package textnorm converts a written English text to the words that a reader says.
// Numbers, money, times, units and abbreviations are spelled out. Each written word
// has the spoken words that belong to it.
package textnorm

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Word is a word of the written text.
type Word struct {
	// Text is the written word, without the punctuation around it.
	Text string
	// Readings are the ways to say it, the most likely first. Each is a list of words
	// in lower case, which have only letters and apostrophes.
	Readings [][]string
	// Pause says that punctuation follows at which a reader pauses.
	Pause bool
}

// Words divides a text into words. A word has a letter or a digit, or is a sign that
// is read as a word.
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
		if w.Text == "" && after.number && isMoney(field) {
			w.Text = strings.TrimRight(field, ".,;:!?") // "5 $"
		}
		if w.Text == "" {
			if w.Pause && len(words) > 0 {
				words[len(words)-1].Pause = true
			}
			continue
		}
		w.Readings = dedupe(read(wide(w.Text), field, &after))
		w.Readings = few(w.Readings, MaxReadings)
		if plain := strings.TrimRight(w.Text, "."); len(w.Readings) > 0 && len(w.Readings[0]) == 1 && w.Readings[0][0] == strings.ToLower(plain) {
			w.Text = plain // not an abbreviation: the dot is the end of a sentence
		}
		words = append(words, w)
	}
	return words
}

// context is what the reading of a word depends on.
type context struct {
	next   string // the next word
	number bool   // the previous word was a number
	one    bool   // that number was 1
	month  bool   // the previous word was the name of a month
	money  string // unit of money that is said after a scale word: "$5 million"
}

// isMoney reports whether a field is the sign of a currency.
func isMoney(field string) bool {
	runes := []rune(strings.TrimRight(field, ".,;:!?"))
	if len(runes) != 1 {
		return false
	}
	_, ok := currencies[runes[0]]
	return ok
}

// isStyled reports whether r is a number in a circle or a Roman numeral.
func isStyled(r rune) bool { return r >= 0x2460 && r <= 0x2473 || r >= 0x2160 && r <= 0x216b }

// isNumber reports whether r alone can be read as a number.
func isNumber(r rune) bool {
	_, fraction := vulgar[r]
	return unicode.IsDigit(r) || fraction || isStyled(r)
}

// wide returns a word with ordinary letters and digits for full-width and styled
// ones.
func wide(word string) string {
	var b strings.Builder
	for _, r := range word {
		if r >= 0xff01 && r <= 0xff5e || isStyled(r) {
			b.WriteString(norm.NFKC.String(string(r)))
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// plainQuotes replaces typographic apostrophes by the ASCII one.
func plainQuotes(text string) string {
	return strings.NewReplacer("’", "'", "‘", "'", "ʼ", "'", "`", "'", "´", "'").Replace(text)
}

// core removes the punctuation around a word that does not belong to it.
func core(field string) string {
	if _, ok := symbols[field]; ok {
		return field
	}
	kept := func(r rune) bool {
		_, money := currencies[r]
		return unicode.IsLetter(r) || isNumber(r) || unicode.IsMark(r) || money
	}
	word := strings.TrimLeftFunc(field, func(r rune) bool { return !kept(r) && r != '\'' && r != '-' && r != '.' && r != '#' })
	word = strings.TrimRightFunc(word, func(r rune) bool {
		return !kept(r) && r != '%' && r != '°' && r != '\'' && r != '.' && r != '²' && r != '³'
	})
	if strings.ContainsAny(word, "²³") && !strings.HasSuffix(word, "m²") && !strings.HasSuffix(word, "m³") {
		word = strings.TrimRight(word, "²³") // a note below the text
	}
	if !strings.ContainsFunc(word, func(r rune) bool { return unicode.IsLetter(r) || isNumber(r) }) {
		return ""
	}
	return trimEdges(word)
}

// trimEdges removes signs that core keeps for numbers and abbreviations if the word
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

// isClipped reports whether a word is one that starts with an apostrophe, such as
// 'tis and 'em.
func isClipped(word string) bool {
	switch strings.TrimRight(word, "'.") {
	case "tis", "twas", "em", "cause", "til", "n":
		return true
	}
	return false
}

func isAbbreviation(word string) bool {
	key := strings.ToLower(strings.TrimRight(word, "."))
	_, always := abbreviations[key]
	_, withDot := dotted[key]
	return always || withDot || key == "st" || key == "no" || isInitials(word)
}

// isInitials reports whether a word is single letters with dots, "U.S." or "J.".
func isInitials(word string) bool {
	letters := strings.Split(strings.TrimSuffix(word, "."), ".")
	for _, l := range letters {
		if r := []rune(l); len(r) != 1 || !unicode.IsUpper(r[0]) {
			return false
		}
	}
	return strings.Contains(word, ".")
}

// dedupe removes duplicate readings.
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
