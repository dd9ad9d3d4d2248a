package textnorm

import (
	"strings"
	"unicode"
)

// read returns the readings of a word. field is the word with its punctuation.
func read(word, field string, c *context) [][]string {
	before := *c
	c.number, c.one, c.money, c.month = false, false, "", isMonth(word)
	if readings := mixed(word); readings != nil {
		c.number = true
		return readings
	}
	if strings.ContainsFunc(word, isASCIIDigit) {
		return onDays(word, number(word, c), before.month, isMonth(c.next))
	}
	lower := strings.ToLower(word)
	switch {
	case symbols[word] != "":
		return [][]string{{symbols[word]}}
	case before.money != "" && isScale(lower):
		return [][]string{{lower, before.money}}
	case before.number && !units[lower].glued && units[lower].one != "":
		readings := units[lower].readings(before.one)
		if !strings.ContainsFunc(lower, func(r rune) bool { return !unicode.IsLetter(r) }) {
			readings = append(readings, []string{lower}, spelled(lower))
		}
		return readings
	}
	if n := roman(word); n > 0 {
		nth := ordinal(belowHundred(n))
		return append([][]string{belowHundred(n), append([]string{"the"}, nth...), nth}, ordinary(word)...)
	}
	if readings := abbreviation(word, lower, field, c); readings != nil {
		return readings
	}
	return ordinary(word)
}

// onDays adds the readings of a number beside the name of a month as a day: "May 5".
func onDays(word string, readings [][]string, after, before bool) [][]string {
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
	case key == "no" && hasDot && strings.ContainsFunc(c.next, isASCIIDigit):
		return [][]string{{"number"}}
	case abbreviations[key] != nil:
		return abbreviations[key]
	case hasDot && dotted[key] != nil && word[:1] != lower[:1]:
		if c.next == "" {
			return [][]string{{key}, dotted[key]} // the dot is the end of the text
		}
		return [][]string{dotted[key], {key}}
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
		sign, size := []rune(rest[i:])[0], len(string([]rune(rest[i:])[0]))
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
	if letters := []rune(word); len(parts) == 1 && len(letters) > 1 && len(letters) <= 5 && strings.ToUpper(word) == word {
		readings = append(readings, spelled(word))
	}
	return readings
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
		if money, ok := currencies[r]; ok && signs == "" {
			return amount(strings.TrimPrefix(word, string(r)), money, c)
		}
		if r != '-' && r != '#' && r != '.' && r != '\'' {
			break
		}
		signs += string(r)
	}
	body := word[len(signs):]
	switch signs {
	case "-":
		readings := figures(body)
		return append(prefixed([]string{"minus"}, readings), prefixed([]string{"negative"}, readings)...)
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
