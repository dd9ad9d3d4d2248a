package textnorm

import (
	"regexp"
	"strings"
	"unicode"
)

// sum are the signs of a calculation.
var sum = map[string][][]string{
	"-": word("minus"), "x": word("times", "by"), "X": word("times", "by"), "×": word("times", "by"), "*": word("times"), "÷": word("divided by", "over"),
	".": word("point"),
}

var (
	oneTime  = regexp.MustCompile(`^(\d{1,2})[hH:](\d{2})$`)
	height   = regexp.MustCompile(`^(\d)(m|')(\d{1,2})$`)
	lettered = regexp.MustCompile(`^(\d{4})([pP])$`)
	moreThan = regexp.MustCompile(`^(\d+)\+$`)
	squared  = regexp.MustCompile(`^(\d+)([²³])$`)
)

// special returns the readings of numbers with a form of their own: "19h30", "1m70",
// "6'2", "18+", "10²"; nil for anything else.
func special(body string) [][]string {
	if m := oneTime.FindStringSubmatch(body); m != nil && strings.ContainsAny(body, "hH") {
		if readings := timeOfDay(m[1] + ":" + m[2]); readings != nil {
			return append(readings, split(body, integer)...)
		}
	}
	if m := height.FindStringSubmatch(body); m != nil {
		first, second := few(cardinals(m[1]), 1), few(cardinals(m[3]), 1)
		if m[2] == "m" {
			return append(cross(suffixed(first, "meter"), second), append(cross(suffixed(first, "metre"), second), append(cross(suffixed(first, "point"), second), split(body, integer)...)...)...)
		}
		out := append(cross(suffixed(first, "foot"), second), cross(suffixed(first, "feet"), second)...)
		inches := units["in"].readings(m[3] == "1")
		return append(out, few(cross(out, inches), 4)...)
	}
	if m := lettered.FindStringSubmatch(body); m != nil {
		half := append(belowHundred(int(body[0]-'0')*10+int(body[1]-'0')), belowHundred(int(body[2]-'0')*10+int(body[3]-'0'))...)
		return append(withUnit(decimal(m[1]), m[2], false), append(half, strings.ToLower(m[2])))
	}
	if m := moreThan.FindStringSubmatch(body); m != nil {
		return append(suffixed(cardinals(m[1]), "plus"), append(cardinals(m[1]), suffixed(cardinals(m[1]), "and", "over")...)...)
	}
	if m := squared.FindStringSubmatch(body); m != nil {
		said := map[string]string{"²": "squared", "³": "cubed"}[m[2]]
		return append(suffixed(few(cardinals(m[1]), 2), said), few(cardinals(m[1]), 1)...)
	}
	return nil
}

// maxCompound is the number of parts of a compound that have several readings.
const maxCompound = 4

// hyphenated reads a compound part by part: "12th-century", "9am-5pm", "mid-1990s". It
// returns nil for anything else.
func hyphenated(body string) [][]string {
	parts := strings.FieldsFunc(body, func(r rune) bool { return r == '-' || r == '–' || r == '—' || r == '~' })
	if len(parts) < 2 || len(parts) > maxCompound || strings.ContainsAny(body, "=+@") {
		return nil
	}
	said := [][]string{{}}
	for i, p := range parts {
		readings := part(p)
		if strings.ContainsFunc(p, isASCIIDigit) {
			if readings = timeOfDay(p); readings == nil {
				readings = number(p, &context{})
			}
			readings = few(readings, 5)
			if i > 0 && strings.ContainsFunc(parts[i-1], isASCIIDigit) {
				readings = append(prefixed([]string{"to"}, readings), few(readings, 2)...)
			}
		}
		said = cross(said, readings)
	}
	return said
}

// tagged reads "@lan" and "#MeToo"; nil for anything else.
func tagged(word string) [][]string {
	if len(word) < 2 || word[0] != '@' && word[0] != '#' || !unicode.IsLetter([]rune(word[1:])[0]) {
		return nil
	}
	rest := part(word[1:])
	if words := humps.FindAllString(word[1:], -1); len(words) > 1 && !strings.ContainsFunc(word, unicode.IsDigit) {
		rest = append(rest, strings.Fields(strings.ToLower(strings.Join(words, " "))))
	}
	if word[0] == '@' {
		return append(prefixed([]string{"at"}, rest), rest...)
	}
	return append(append(prefixed([]string{"hashtag"}, rest), rest...), prefixed([]string{"hash"}, rest)...)
}

// humps are the words of "MeToo".
var humps = regexp.MustCompile(`\p{Lu}?[\p{Ll}']+|\p{Lu}+`)

// address reads addresses of e-mail and the web; nil for anything else.
func address(word string) [][]string {
	scheme, rest, web := strings.Cut(word, "://")
	if !web {
		scheme, rest = "", word
	}
	host, path, hasPath := strings.Cut(rest, "/")
	if !web && !strings.HasPrefix(word, "www.") && !domain.MatchString(host) {
		return nil
	}
	said := [][]string{nil}
	if web {
		said = [][]string{append(spelled(scheme), "colon", "slash", "slash"), {}}
	}
	bare := strings.TrimPrefix(host, "www.")
	if bare != host {
		said = cross(said, word1("w w w dot", "www dot", "triple w dot", ""))
	}
	said = cross(said, dashes(bare))
	if hasPath && path != "" {
		said = cross(few(said, MaxReadings/4), pathOf(strings.Split(path, "/")))
	}
	var out [][]string
	for _, r := range said {
		if len(r) > 0 {
			out = append(out, r)
		}
	}
	return out
}

// pathOf reads the parts of a path. Behind the first ones, all slashes are said or none.
func pathOf(parts []string) [][]string {
	said, tail := [][]string{nil}, [][]string{nil, nil}
	for i, part := range parts {
		readings := few(dashes(part), 2)
		if i < maxCompound {
			said = cross(few(said, MaxReadings/4), append(prefixed([]string{"slash"}, readings), readings...))
		} else if len(readings) > 0 {
			tail[0] = append(append(tail[0], "slash"), readings[0]...)
			tail[1] = append(tail[1], readings[0]...)
		}
	}
	if len(parts) <= maxCompound {
		return said
	}
	return cross(few(said, MaxReadings/4), tail)
}

var domain = regexp.MustCompile(`^[\pL\d._%+-]+@[\pL\d.-]+\.\p{Ll}{2,}$|^[\pL\d-]+(?:\.[\pL\d-]+)*\.(?:com|org|net|edu|gov|info|io|vn|uk|us|de|fr|jp|co|app|dev)$`)

// dashes reads a part of an address, in which "-" and "_" are said too.
func dashes(text string) [][]string {
	var out [][]string
	for _, dash := range []string{"dash", "hyphen", ""} {
		if dash != "dash" && !strings.Contains(text, "-") {
			break
		}
		spaced := strings.NewReplacer("-", " "+dash+" ", "_", " underscore ", ".", " dot ", "@", " at ", "?", " question mark ", "=", " equals ", "/", " slash ",
			"%", " percent ", "+", " plus ", "#", " hash ", "&", " and ", "~", " tilde ", ":", " colon ").Replace(text)
		said := [][]string{nil}
		var tail []string // behind the first parts, which may have several readings
		for i, p := range strings.Fields(spaced) {
			readings := part(p)
			if i < 2*maxCompound {
				said = cross(said, readings)
			} else if len(readings) > 0 {
				tail = append(tail, readings[0]...)
			}
		}
		out = append(out, cross(said, [][]string{tail})...)
	}
	return out
}

// part returns the first readings of a part of a word.
func part(text string) [][]string {
	if strings.ContainsFunc(text, isASCIIDigit) {
		return few(split(text, integer), 4)
	}
	return few(ordinary(text), 1)
}

// mixedCase adds the letters of "PhD", "NaCl", and "CD's" for "CDs".
func mixedCase(word string) [][]string {
	base := strings.TrimSuffix(strings.TrimSuffix(word, "s"), "'")
	if base != word && len(base) >= 2 && len(base) <= 5 && base == strings.ToUpper(base) && strings.Trim(base, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == "" {
		letters := spelled(base)
		letters[len(letters)-1] += "'s"
		return [][]string{letters}
	}
	inner := len(word) > 2 && len(word) <= 6 && strings.ContainsFunc(word[1:], unicode.IsUpper) && strings.ContainsFunc(word, unicode.IsLower)
	if inner && !strings.ContainsFunc(word, func(r rune) bool { return !unicode.IsLetter(r) }) {
		return [][]string{spelled(word)}
	}
	return nil
}

// afterDot reads two words without the space after their dot: "No.5", "Mr.Smith".
func afterDot(word string, c *context) [][]string {
	first, second, _ := strings.Cut(word, ".")
	inner := context{next: second}
	var after [][]string
	if startsWithDigit(second) {
		after = number(second, c)
	} else {
		after = part(second)
	}
	before := read(first+".", first+".", &inner)
	if inner := abbreviations[strings.ToLower(first)]; inner == nil && counted[strings.ToLower(first)] == "" && !isAbbreviation(first+".") {
		return append(few(cross(ordinary(first), after), 8), split(word, integer)...)
	}
	return few(cross(few(before, 4), few(after, 8)), MaxReadings)
}
