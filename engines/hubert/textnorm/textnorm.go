// Package textnorm converts a written English text to the words that a reader says.
// Numbers, money, times, units and abbreviations are spelled out. Each written word
// has the spoken words that belong to it.
package textnorm

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/lexilingo/modelgateway/engines/aloud"
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
	fields := strings.Fields(joinGroups(plainQuotes(withoutMarkup(norm.NFC.String(strings.ToValidUTF8(text, " "))))))
	var words []Word
	var after context
	for i, field := range fields {
		if i+1 < len(fields) {
			after.next = core(fields[i+1])
		} else {
			after.next = ""
		}
		w := Word{Text: core(field), Pause: strings.ContainsAny(field, ".,;:!?…–—")}
		if i+1 < len(fields) && after.number && isBetween(field) && startsWithDigit(after.next) {
			after.between = true // "10 - 15"
			continue
		}
		if w.Text == "" && after.number && isMoney(field) {
			w.Text = strings.TrimRight(field, ".,;:!?") // "5 $"
		}
		if w.Text == "" {
			if w.Pause && len(words) > 0 {
				words[len(words)-1].Pause = true
			}
			continue
		}
		before := after
		w.Readings = dedupe(beside(read(plain(w.Text), field, &after), plain(w.Text), before))
		after.word = w.Text
		w.Readings = few(w.Readings, MaxReadings)
		w.Text = strings.ReplaceAll(w.Text, joiner, "\u00a0")
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

	word    string // the previous word
	between bool   // there is a hyphen between the previous number and this word
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

// isNumber reports whether r alone can be read as a number.
func isNumber(r rune) bool {
	_, fraction := vulgar[r]
	return fraction || unicode.IsDigit(r) || unicode.In(r, unicode.No, unicode.Nl) && r != '²' && r != '³'
}

// plain returns a word with ordinary letters and digits.
func plain(word string) string {
	word = strings.Map(func(r rune) rune {
		if n := digitValue(r); n >= 0 {
			return '0' + n
		}
		return r
	}, aloud.Letters(word))
	if strings.Trim(word, "0123456789"+joiner) == "" {
		return strings.ReplaceAll(word, joiner, "")
	}
	return word
}

// digitValue returns the value of a decimal digit of any script; -1 for anything else.
// The digits of a script follow each other.
func digitValue(r rune) rune {
	if !unicode.Is(unicode.Nd, r) {
		return -1
	}
	n := rune(0)
	for n < 9 && unicode.Is(unicode.Nd, r-n-1) {
		n++
	}
	return n % 10
}

// plainQuotes replaces typographic apostrophes by the ASCII one.
func plainQuotes(text string) string {
	return strings.NewReplacer("’", "'", "‘", "'", "ʼ", "'", "`", "'", "´", "'", "′", "'", "−", "-").Replace(text)
}

// core removes the punctuation around a word that does not belong to it.
func core(field string) string {
	if signs[field] != nil {
		return field
	}
	kept := func(r rune) bool {
		_, money := currencies[r]
		return isSaid(r) || unicode.IsMark(r) || money || r == '¢'
	}
	word := strings.TrimLeftFunc(field, func(r rune) bool { return !kept(r) && !strings.ContainsRune(leading, r) })
	word = strings.TrimRightFunc(word, func(r rune) bool {
		return !kept(r) && r != '%' && r != '°' && r != '\'' && r != '.' && r != '²' && r != '³'
	})
	if strings.HasSuffix(word, "²") || strings.HasSuffix(word, "³") {
		if !raised.MatchString(word) {
			word = strings.TrimRight(word, "²³") // a note below the text
		}
	}
	word = withGrade(word, field)
	if !strings.ContainsFunc(word, isSaid) {
		return ""
	}
	return trimEdges(word)
}

// isSaid reports whether r is read: a letter, a number, a letter in a circle, or one of
// the units that are one character, such as "℃" and "㎏".
func isSaid(r rune) bool {
	return unicode.IsLetter(r) || isNumber(r) || r == '℃' || r == '℉' || r >= 0x24b6 && r <= 0x24e9 || r >= 0x3371 && r <= 0x33df
}

// trimEdges removes signs that core keeps for numbers and abbreviations if the word
// is neither.
func trimEdges(word string) string {
	if strings.HasSuffix(word, ".") && !isAbbreviation(word) {
		word = strings.TrimRight(word, ".'")
	}
	lead := strings.TrimLeft(word, leading)
	signs := word[:len(word)-len(lead)]
	first, _ := utf8.DecodeRuneInString(lead)
	_, money := currencies[first]
	switch {
	case signs == "#" || signs == "@" || signs == "°":
	case (unicode.IsDigit(first) || money) && strings.Contains(" - . ' + ~ ≈ ≥ ≤ √ ± ", " "+signs+" ") && signs != "":
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
