package aloud

import (
	"regexp"
	"strings"
	"unicode"
)

// field is a part of a text without spaces.
type field struct {
	space, lead string // what comes before the core: white space, and marks
	core, trail string
}

// figures replaces numbers with signs and units by what is read of them, as far as
// speech engines would read it otherwise: "$5", "7:05", "60 km/h".
func figures(text, language string) string {
	s, ok := speakers()[base(language)]
	if !ok {
		return text
	}
	fields := fieldsOf(text)
	for i := range fields {
		if s.phone(fields, i) || s.spacedNumber(fields, i) {
			continue
		}
		if said, ok := s.read(fields, i); ok {
			fields[i].core = said
		}
	}
	var b strings.Builder
	for _, f := range fields {
		b.WriteString(f.space + f.lead + f.core + f.trail)
	}
	return b.String()
}

// Marks around a number or word.
const (
	before = `"'“‘«„([{`
	behind = `.,;:!?…"'”’»)]}`
)

// fieldsOf splits a text. The last field may be only space.
func fieldsOf(text string) []field {
	var out []field
	for text != "" {
		word := strings.TrimLeftFunc(text, unicode.IsSpace)
		f := field{space: text[:len(text)-len(word)]}
		end := strings.IndexFunc(word, unicode.IsSpace)
		if end < 0 {
			end = len(word)
		}
		text = word[end:]
		rest := strings.TrimLeft(word[:end], before)
		f.lead = word[:end-len(rest)]
		f.core = strings.TrimRight(rest, behind)
		f.trail = rest[len(f.core):]
		out = append(out, f)
	}
	return out
}

// next returns the field after i if no mark separates them.
func next(fields []field, i int) (field, bool) {
	if i+1 >= len(fields) || fields[i].trail != "" || fields[i+1].lead != "" || strings.Contains(fields[i+1].space, "\n") {
		return field{}, false
	}
	return fields[i+1], true
}

// previous returns the core of the field before i in lower case.
func previous(fields []field, i int) string {
	if i == 0 {
		return ""
	}
	return strings.ToLower(fields[i-1].core)
}

var (
	plainNumber  = regexp.MustCompile(`^\d+(?:[.,]\d+)*$`)
	clockTime    = regexp.MustCompile(`^(\d{1,2})(?:([:hg])(\d{2}))?([apAP])?\.?([mM])?$`)
	dottedTime   = regexp.MustCompile(`^(\d{1,2})\.([0-5]\d)$`)
	fullDate     = regexp.MustCompile(`^(?:(\d{1,2})([-/.])(\d{1,2})[-/.](\d{4})|(\d{4})[-/](\d{1,2})[-/](\d{1,2}))$`)
	overUnder    = regexp.MustCompile(`^(\d{1,4})/(\d{1,4})$`)
	withVulgar   = regexp.MustCompile(`^(\d*)([½¼¾⅓⅔⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞])$`)
	timeRange    = regexp.MustCompile(`^(\d.*[:hgmM\d])[-–—](\d.*[:hgmM\d])$`)
	calculation  = regexp.MustCompile(`^\d+(?:[.,]\d+)?(?:[-+*x×−÷/=]\d+(?:[.,]\d+)?)+=?$`)
	version      = regexp.MustCompile(`^v?\d+(?:\.\d+){2,}$`)
	slashedWords = regexp.MustCompile(`^\pL+(?:/\pL+)+$`)
	lowerWord    = regexp.MustCompile(`^\p{Ll}+$`)
)

// read returns what is read of a field; ok is false if it stays as it is.
func (s *speaker) read(fields []field, i int) (said string, ok bool) {
	core := fields[i].core
	if said := s.sign(fields, i); said != "" {
		return said, true
	}
	if said := s.letters(fields, i); said != "" {
		return said, true
	}
	if said, ok := s.code(fields, i); ok {
		return said, true
	}
	if said := vietnameseOrdinals[core]; said != "" && !s.english && previous(fields, i) == "thứ" {
		return said, true
	}
	if !strings.ContainsFunc(core, func(r rune) bool { return r >= '0' && r <= '9' || strings.ContainsRune(vulgars, r) }) {
		return "", false
	}
	if m := timeRange.FindStringSubmatch(core); m != nil && strings.ContainsAny(core, ":hgmM") {
		from, isTime := s.timeOfDay(fields, i, m[1])
		to, isTime2 := s.timeOfDay(fields, i, m[2])
		if isTime && isTime2 {
			return from + s.to + to, true
		}
	}
	for _, reading := range []func([]field, int, string) (string, bool){
		s.timeOfDay, s.date, s.fraction, s.calculate, s.versionOf, s.year, s.ordinal, s.amount,
	} {
		if said, ok := reading(fields, i, core); ok {
			return said, true
		}
	}
	return "", false
}

// vietnameseOrdinals are those that differ from the number.
var vietnameseOrdinals = map[string]string{"1": "nhất", "4": "tư"}

// sign returns what is read of a sign that stands alone between numbers, or before or
// behind one; "" if it is none.
func (s *speaker) sign(fields []field, i int) string {
	core := fields[i].core
	after, _ := next(fields, i)
	between := i > 0 && fields[i-1].trail == "" && startsWithDigit(after.core) && endsWithDigit(fields[i-1].core)
	switch {
	case between && (core == "-" || core == "–" || core == "−" || core == "—"):
		if i+2 < len(fields) && fields[i+2].core == "=" || core == "−" {
			return s.minus
		}
		return strings.TrimSpace(s.to)
	case core == "50-50" && s.english:
		return "50 50"
	case between && (core == "*" || core == "x" || core == "×"):
		return s.times
	case core == "w/" && s.english:
		return "with"
	case core == "w/o" && s.english:
		return "without"
	case (core == "№" || core == "N°" || core == "n°") && startsWithDigit(after.core):
		return s.numero
	}
	if rest := strings.TrimLeft(core, "№Nn°"); rest != core && startsWithDigit(rest) && strings.ContainsAny(core, "№°") {
		return s.numero + " " + rest
	}
	if rest, ok := strings.CutPrefix(core, "#"); ok && rest != "" {
		first := []rune(rest)[0]
		switch {
		case plainNumber.MatchString(rest):
			return s.numero + " " + rest
		case unicode.IsLetter(first):
			return s.hashtag + " " + rest
		}
	}
	if rest := strings.TrimLeft(core, "~≈"); rest != core && startsWithDigit(rest) {
		fields[i].core = rest
		if said, ok := s.read(fields, i); ok {
			rest = said
		}
		return s.about + " " + rest
	}
	if note, ok := strings.CutSuffix(core, "#"); ok && s.english && len(note) == 1 && note[0] >= 'A' && note[0] <= 'G' {
		return note + " sharp"
	}
	return ""
}

func startsWithDigit(text string) bool { return text != "" && text[0] >= '0' && text[0] <= '9' }

func endsWithDigit(text string) bool {
	return text != "" && text[len(text)-1] >= '0' && text[len(text)-1] <= '9'
}

// letters returns what is read of a word without digits; "" if it stays as it is.
func (s *speaker) letters(fields []field, i int) string {
	core := fields[i].core
	switch {
	case slashedWords.MatchString(core) && s.units[core] == (unit{}):
		return strings.ReplaceAll(core, "/", " ") // "and/or"
	case strings.HasSuffix(core, "²") || strings.HasSuffix(core, "³"):
		return s.power(core)
	case s.words[core] != "":
		return s.words[core]
	case lowerWord.MatchString(core) && strings.Trim(core, "ivx") != "":
		if short := squeezed(core); short != core {
			return short
		}
	}
	if said := s.roman(fields, i); said != "" {
		return said
	}
	if s.english && formula.MatchString(core) && strings.ContainsFunc(core, unicode.IsDigit) && !wordWithNumber.MatchString(core) {
		return strings.TrimSpace(element.ReplaceAllStringFunc(core, func(e string) string {
			if isDigits(e) {
				return e + " "
			}
			return strings.Join(strings.Split(e, ""), " ") + " "
		}))
	}
	return ""
}

// The chemical elements that learners meet.
const elements = `(?:He|Li|Na|Mg|Al|Si|Cl|Ca|Fe|Cu|Zn|Ag|Au|Hg|Pb|Br|H|C|N|O|F|P|S|K|I)`

var (
	formula = regexp.MustCompile(`^(?:` + elements + `[\d₀-₉]*){2,}$`)
	// wordWithNumber is no formula: "COP26".
	wordWithNumber = regexp.MustCompile(`^[A-Z]{3,}\d{2,}$|^[A-Z]{5,}\d$`)
	element        = regexp.MustCompile(`[A-Z][a-z]?|\d+`)
)

// power returns what is read of "x²"; "" if it is a unit.
func (s *speaker) power(core string) string {
	runes := []rune(core)
	last, rest := runes[len(runes)-1], string(runes[:len(runes)-1])
	if rest == "" || s.units[core] != (unit{}) || strings.HasSuffix(rest, "m") && startsWithDigit(rest) {
		return ""
	}
	if last == '²' {
		return rest + " " + s.squared
	}
	return rest + " " + s.cubed
}

// squeezed returns a word without letters that are lowerWord for emphasis: "soooo",
// "gooood". At its end one is left, but "ee", and within it two.
func squeezed(word string) string {
	runes := []rune(word)
	var out []rune
	for i := 0; i < len(runes); {
		end := i + 1
		for end < len(runes) && runes[end] == runes[i] {
			end++
		}
		n := end - i
		switch {
		case n >= 3 && n == len(runes):
			return word // "zzz"
		case n >= 3 && end == len(runes) && runes[i] != 'e':
			n = 1
		case n >= 3:
			n = 2
		}
		out = append(out, runes[i:i+n]...)
		i = end
	}
	return string(out)
}
