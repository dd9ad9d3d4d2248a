package textnorm

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// read returns the readings of a word. field is the word with its punctuation.
func read(word, field string, c *context) [][]string {
	before := *c
	c.number, c.one, c.money, c.month, c.between = false, false, "", isMonth(word), false
	if chat := abbreviations[strings.ToLower(word)]; chat != nil && strings.ContainsFunc(word, isASCIIDigit) {
		return chat
	}
	if gluedDot.MatchString(word) {
		return afterDot(word, c)
	}
	if readings := grades(word); readings != nil {
		return readings
	}
	if readings := tagged(word); readings != nil {
		return readings
	}
	if readings := address(word); readings != nil {
		return readings
	}
	if readings := mixed(word); readings != nil {
		c.number = true
		return readings
	}
	if strings.ContainsFunc(word, isASCIIDigit) {
		return onDays(word, onScale(word, number(word, c), c.next), before.month, isMonth(c.next))
	}
	lower := strings.ToLower(word)
	switch {
	case before.number && isHalfDay(lower):
		return append(units[lower].readings(false), []string{lower})
	case signs[word] != nil:
		return signs[word]
	case before.money != "" && isScale(lower):
		return [][]string{{lower, before.money}}
	case before.number && !units[lower].glued && units[lower].one != "":
		readings := units[lower].readings(before.one)
		if !strings.ContainsFunc(lower, func(r rune) bool { return !unicode.IsLetter(r) }) {
			readings = append(readings, []string{lower}, spelled(lower))
		}
		return readings
	}
	if before.number && besideNumber(lower) {
		return append(ordinary(word), units[lower].readings(before.one)...)
	}
	if readings := romanReadings(word, before.word); readings != nil {
		return readings
	}
	if readings := abbreviation(word, lower, field, c); readings != nil {
		return readings
	}
	return ordinary(word)
}

// isHalfDay reports whether a word is "am" or "pm".
func isHalfDay(word string) bool { return word == "am" || word == "pm" }

// onScale adds the readings that a number has because of the word behind it: "1
// million", "7.30 am".
func onScale(word string, readings [][]string, next string) [][]string {
	if word == "1" && isScale(strings.ToLower(next)) {
		return append(readings, []string{"a"})
	}
	if clock := timeOfDay(strings.Replace(word, ".", ":", 1)); strings.Contains(word, ".") && isHalfDay(strings.ToLower(strings.ReplaceAll(next, ".", ""))) {
		return append(clock, readings...)
	}
	return readings
}

// onDays adds the readings of a number beside the name of a month as a day: "May 5".
func onDays(word string, readings [][]string, after, before bool) [][]string {
	if m := dayOrdinal.FindStringSubmatch(word); m != nil && (after || before) {
		nth := readings[0]
		readings = append(readings, append([]string{"the"}, nth...))
		if before {
			readings = append(readings, append(nth[:len(nth):len(nth)], "of"), append(append([]string{"the"}, nth...), "of"))
		}
		return readings
	}
	if !isDigits(word) || len(word) > 2 || !after && !before {
		return readings
	}
	for _, r := range cardinals(word)[:1] {
		nth := ordinal(r)
		readings = append(readings, nth, append([]string{"the"}, nth...))
		if before {
			readings = append(readings, append(nth[:len(nth):len(nth)], "of"), append(append([]string{"the"}, nth...), "of"))
		}
	}
	return readings
}

func isASCIIDigit(r rune) bool { return r >= '0' && r <= '9' }

// abbreviation returns the readings of an abbreviation; nil for any other word.
func abbreviation(word, lower, field string, c *context) [][]string {
	key := strings.TrimRight(lower, ".")
	hasDot := strings.Contains(field, ".")
	switch {
	case key == "st" && hasDot:
		// "St. Paul", but "Main St. is closed" and "Main St."
		if next := []rune(c.next); len(next) > 0 && unicode.IsUpper(next[0]) {
			return [][]string{{"saint"}, {"street"}}
		}
		return [][]string{{"street"}, {"saint"}}
	case counted[key] != "" && hasDot && startsWithDigit(c.next):
		return [][]string{{counted[key]}}
	case key == "no" && startsWithDigit(c.next):
		return [][]string{{"no"}, {"number"}}
	case dotted[key] != nil && isMonth(word) && startsWithDigit(c.next), isWeekday(word):
		return [][]string{dotted[key], {key}}
	case abbreviations[key] != nil:
		return abbreviations[key]
	case hasDot && dotted[key] != nil && word[:1] != lower[:1]:
		if c.next == "" {
			return [][]string{{key}, dotted[key]} // the dot is the end of the text
		}
		return [][]string{dotted[key], {key}}
	case initialsAnd.MatchString(word): // "U.S.-based", "U.K.'s"
		m := initialsAnd.FindStringSubmatch(word)
		letters := spelled(m[1])
		letters[len(letters)-1] += m[3]
		return cross([][]string{letters}, ordinary(m[2]))
	case dottedLetters.MatchString(key):
		return append([][]string{spelled(word)}, ordinary(key)...)
	case isInitials(word):
		return [][]string{spelled(strings.ReplaceAll(word, ".", ""))}
	}
	return nil
}

// spelled returns the letters of a word.
func spelled(word string) []string {
	var letters []string
	for _, r := range strings.ToLower(word) {
		if unicode.IsLetter(r) {
			letters = append(letters, string(r))
		}
	}
	return letters
}

// ordinary returns the readings of a word of letters. Parts that are joined by signs
// are read one after the other.
func ordinary(word string) [][]string {
	var parts []string
	rest := word
	for rest != "" {
		i := strings.IndexFunc(rest, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsMark(r) && r != '\'' })
		if i < 0 {
			parts = append(parts, strings.ToLower(rest))
			break
		}
		if i > 0 {
			parts = append(parts, strings.ToLower(rest[:i]))
		}
		sign, size := utf8.DecodeRuneInString(rest[i:])
		if said := joint(sign, rest[i+size:]); said != "" {
			parts = append(parts, said)
		}
		rest = rest[i+size:]
	}
	readings := [][]string{parts}
	if len(parts) > 1 && strings.Contains(word, "-") {
		readings = append(readings, []string{strings.Join(parts, "")})
	}
	// NASA is read as a word, USA as letters: both are possible.
	if letters := []rune(word); len(parts) == 1 && len(letters) > 1 && len(letters) <= 5 && strings.ToUpper(word[1:]) == word[1:] && word[1:] != strings.ToLower(word[1:]) {
		readings = append(readings, spelled(word))
	}
	return append(readings, mixedCase(word)...)
}

// joint returns the word for a sign between two parts of a word.
func joint(sign rune, rest string) string {
	if sign == '.' && rest != "" {
		return "dot"
	}
	return symbols[string(sign)]
}

// number returns the readings of a word with digits.
func number(word string, c *context) [][]string {
	c.number = true
	c.one = word == "1"
	signs := ""
	for _, r := range word {
		if money, ok := currencies[r]; ok && (signs == "" || signs == "-" || signs == "+") {
			return signed(signs, amount(word[len(signs)+len(string(r)):], money, c))
		}
		if !strings.ContainsRune(leading, r) {
			break
		}
		signs += string(r)
	}
	body := word[len(signs):]
	if readings := otherDollars(body, c); readings != nil {
		return signed(signs, readings)
	}
	switch signs {
	case "+":
		if isDigits(body) {
			return signed(signs, append(few(figures(body), 4), digits(body), oh(body), doubled(digits(body)), doubled(oh(body)))) // a telephone number
		}
		return signed(signs, figures(body))
	case "-", "~", "≈", "≥", "≤", "√", "±":
		return signed(signs, figures(body))
	case "#":
		readings := figures(body)
		return append(prefixed([]string{"number"}, readings), append(prefixed([]string{"hash"}, readings), prefixed([]string{"hashtag"}, readings)...)...)
	case ".":
		return prefixed([]string{"point"}, split(body, func(digitsOnly string) [][]string { return [][]string{digits(digitsOnly)} }))
	}
	return figures(body)
}

// prefixed adds words before each reading.
func prefixed(words []string, readings [][]string) [][]string {
	if len(words) == 0 {
		return readings
	}
	out := make([][]string, len(readings))
	for i, r := range readings {
		out[i] = append(append([]string(nil), words...), r...)
	}
	return out
}

// suffixed adds words after each reading.
func suffixed(readings [][]string, words ...string) [][]string {
	out := make([][]string, len(readings))
	for i, r := range readings {
		out[i] = append(append([]string(nil), r...), words...)
	}
	return out
}
