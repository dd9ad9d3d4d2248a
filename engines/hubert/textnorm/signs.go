package textnorm

import (
	"html"
	"regexp"
	"strings"
	"unicode"

	"github.com/lexilingo/modelgateway/engines/aloud"
)

// leading are the signs that may stand before a number, and some before a word.
const leading = "-.#'+~≈≥≤√±@°"

// joiner stands for a space within a word, such as that of "10 000".
const joiner = "\ue001"

var (
	// spacedGroups are groups of three digits with a space of a fixed width, or before a
	// group that begins with 0.
	spacedGroups  = regexp.MustCompile(`(\d)[\x{a0}\x{202f}\x{2009}](\d{3})\b|(\d) (0\d\d)\b`)
	oneNumber     = regexp.MustCompile(`(?:^|[\s(])[1-9]\d{0,2}(?:(?:[\x{a0}\x{202f}\x{2009}]\d{3})+| \d{3}(?: \d{3})*)\b`)
	codeFirst     = regexp.MustCompile(`\b(USD|VND|EUR|GBP|JPY) (\d)`)
	raised        = regexp.MustCompile(`(?:^|\d|[a-z]m|^m|[\d\s]m)[²³]$|^\pL[²³]$`)
	grade         = regexp.MustCompile(`^[A-Za-z]$|^\d+$`)
	dayOrdinal    = regexp.MustCompile(`^(\d{1,2})(?:st|nd|rd|th)$`)
	gluedDot      = regexp.MustCompile(`^(?:[A-Z][a-z]{0,3}|no|nos|p|pp|vol|fig|ch)\.[\pL\d][\pL\d]+$|^\pL{2,}\.\p{Lu}\p{Ll}+$|^(?:[Nn]os?|[Pp]{1,2}|[Vv]ol|[Ff]ig|[Cc]h)\.\d+$`)
	initialsAnd   = regexp.MustCompile(`^((?:\p{Lu}\.)+)(?:-(\pL+)|('s))$`)
	dottedLetters = regexp.MustCompile(`^(?:\pL\.)+\pL$`)
)

var (
	markup = regexp.MustCompile(`</?([A-Za-z][A-Za-z0-9]*)([^<>]{0,200})>`)
	links  = regexp.MustCompile(`\[([^\[\]]+)\]\([^()\s]*\)`)
)

// withoutMarkup removes tags, addresses behind links, and entities of HTML.
func withoutMarkup(text string) string {
	if strings.ContainsAny(text, "<[&") {
		closed := strings.ToLower(text)
		text = markup.ReplaceAllStringFunc(text, func(tag string) string {
			m := markup.FindStringSubmatch(tag)
			name := strings.ToLower(m[1])
			isTag := tag[1] == '/' || strings.ContainsAny(m[2], "=/") || strings.Contains(closed, "</"+name+">") || aloud.IsOpen(name)
			switch {
			case isTag && aloud.IsBlock(name):
				return " "
			case isTag:
				return ""
			}
			return " " + m[1] + m[2] + " " // "Dear <name>"
		})
		text = html.UnescapeString(links.ReplaceAllString(text, "$1"))
	}
	return strings.ReplaceAll(text, joiner, "")
}

// joinGroups puts the joiner within numbers and amounts that have a space in them.
func joinGroups(text string) string {
	text = codeFirst.ReplaceAllString(text, "$1"+joiner+"$2")
	return oneNumber.ReplaceAllStringFunc(text, func(found string) string {
		for range 2 { // groups beside each other
			found = spacedGroups.ReplaceAllString(found, "$1$3"+joiner+"$2$4")
		}
		return found
	})
}

// isBetween reports whether a field is a sign between two numbers that may be unsaid.
func isBetween(field string) bool {
	return field == "-" || field == "–" || field == "—" || field == "~"
}

func startsWithDigit(word string) bool {
	return word != "" && isASCIIDigit(rune(word[0]))
}

// withGrade returns a word with the signs behind it that belong to it: "A+", "C#", "18+".
func withGrade(word, field string) string {
	at := strings.Index(field, word)
	if word == "" || at < 0 || !grade.MatchString(word) {
		return word
	}
	rest := strings.TrimRight(field[at+len(word):], `.,;:!?)"'`)
	letter := unicode.IsLetter(rune(word[0]))
	if rest == "+" || letter && (rest == "#" || rest == "++" || rest == "-" && strings.Contains("ABCDEF", word)) {
		return word + rest
	}
	return word
}

// beside adds the readings that a number has because of the word before it.
func beside(readings [][]string, word string, before context) [][]string {
	switch {
	case before.between:
		out := append(prefixed([]string{"to"}, few(readings, 4)), prefixed([]string{"minus"}, few(readings, 2))...)
		return append(append(out, few(readings, 4)...), prefixed([]string{"through"}, few(readings, 2))...)
	case before.number && isDigits(before.word) && (overOne.MatchString(word) || len(word) > 1 && vulgar[[]rune(word)[0]] != [2]int64{}):
		return append(prefixed([]string{"and"}, few(readings, 3)), readings...) // "1 1/2"
	}
	return readings
}

var overOne = regexp.MustCompile(`^\d+/\d+$`)

// signed returns the readings of a number with a sign before it.
func signed(sign string, readings [][]string) [][]string {
	said := map[string][][]string{
		"-": word("minus", "negative"), "+": word1("plus", ""), "~": word1("about", "around", "approximately", ""), "≈": word("about", "approximately"),
		"≥": word("greater than or equal to", "at least"), "≤": word("less than or equal to", "at most"),
		"√": word("the square root of", "square root of", "root"), "±": word("plus or minus", "plus minus"),
	}[sign]
	if said == nil {
		return readings
	}
	return cross(said, few(readings, max(1, MaxReadings/len(said))))
}

// word1 is like word, with "" for nothing.
func word1(list ...string) [][]string {
	out := word(list...)
	for i, w := range list {
		if w == "" {
			out[i] = []string{}
		}
	}
	return out
}

// otherDollars reads "US$5" and "USD 5"; nil for anything else.
func otherDollars(body string, c *context) [][]string {
	if code, rest, ok := strings.Cut(body, joiner); ok && units[strings.ToLower(code)].many != "" {
		u := units[strings.ToLower(code)]
		return few(cross(few(figures(rest), 4), u.readings(rest == "1")), MaxReadings)
	}
	country, rest, ok := strings.Cut(body, "$")
	if !ok || dollars[country] == "" {
		return nil
	}
	plain := amount(rest, currencies['$'], c)
	var out [][]string
	for _, r := range few(plain, MaxReadings/2) {
		for i, w := range r {
			if strings.HasPrefix(w, "dollar") {
				named := append(append([]string(nil), r[:i]...), strings.Fields(dollars[country])...)
				out = append(out, append(named, r[i:]...))
			}
		}
		out = append(out, r)
	}
	return out
}

var commaCents = regexp.MustCompile(`^(\d+),(\d\d)$`)

// grades reads "A+", "A-" and "C#"; nil for anything else.
func grades(word string) [][]string {
	if len(word) != 2 || !unicode.IsUpper(rune(word[0])) {
		return nil
	}
	letter := strings.ToLower(word[:1])
	switch word[1] {
	case '+':
		return [][]string{{letter, "plus"}}
	case '-':
		return [][]string{{letter, "minus"}}
	case '#':
		return [][]string{{letter, "sharp"}, {letter, "hash"}}
	}
	return nil
}

// perUnit cuts off what follows a slash: "5/hour". It returns its readings.
func perUnit(text string) (amount string, per [][]string) {
	amount, unit, ok := strings.Cut(text, "/")
	if !ok || unit == "" || strings.ContainsFunc(unit, func(r rune) bool { return !unicode.IsLetter(r) }) {
		return text, nil
	}
	name := strings.ToLower(unit)
	if u, ok := units[name]; ok {
		name, _, _ = strings.Cut(u.one, "/")
	}
	return amount, word("per "+name, "a "+name, "an "+name)
}

// besideNumber reports whether a word is a unit that is a word of its own too.
func besideNumber(lower string) bool {
	return units[lower].glued && lower != "s" && lower != "x" && lower != "am" && lower != "pm" && lower != "k"
}

// doubled returns digits with "double" for two of them.
func doubled(words []string) []string {
	var out []string
	for i := 0; i < len(words); i++ {
		if len(words) >= 7 && i+1 < len(words) && words[i] == words[i+1] {
			out = append(out, "double")
			i++
		}
		out = append(out, words[i])
	}
	return out
}

// isWeekday reports whether a word is the beginning of the name of a day, and no other
// word.
func isWeekday(word string) bool {
	switch strings.TrimRight(word, ".") {
	case "Mon", "Tue", "Tues", "Wed", "Thu", "Thur", "Thurs", "Fri":
		return true
	}
	return false
}
