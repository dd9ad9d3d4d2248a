package textnorm

import (
	"strconv"
	"strings"
	"unicode"
)

// read returns the readings of a word. field is the word with its punctuation.
func read(word, field string, c *context) [][]string {
	before := *c
	c.number, c.one, c.money = false, false, ""
	if strings.ContainsFunc(word, isASCIIDigit) {
		return number(word, c)
	}
	lower := strings.ToLower(word)
	switch {
	case symbols()[word] != "":
		return [][]string{{symbols()[word]}}
	case before.money != "" && isScale(lower):
		return [][]string{{lower, before.money}}
	case before.number && !units()[lower].glued && units()[lower].one != nil:
		u := units()[lower]
		if before.one {
			return [][]string{u.one, {lower}}
		}
		return [][]string{u.many, {lower}}
	}
	if readings := abbreviation(word, lower, field, c); readings != nil {
		return readings
	}
	return ordinary(word)
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
	case abbreviations()[key] != nil:
		return abbreviations()[key]
	case hasDot && dotted()[key] != nil && word[:1] != lower[:1]:
		if c.next == "" {
			return [][]string{{key}, dotted()[key]} // the dot is the end of the text
		}
		return [][]string{dotted()[key], {key}}
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
	return symbols()[string(sign)]
}

// number returns the readings of a word with digits.
func number(word string, c *context) [][]string {
	c.number = true
	c.one = word == "1"
	signs := ""
	for _, r := range word {
		if money, ok := currencies()[r]; ok && signs == "" {
			return amount(strings.TrimPrefix(word, string(r)), money, c)
		}
		if r != '-' && r != '#' && r != '.' && r != '\'' {
			break
		}
		signs += string(r)
	}
	body := word[len(signs):]
	var said []string
	switch signs {
	case "-":
		said = []string{"minus"}
	case "#":
		said = []string{"number"}
	case ".":
		return prefixed([]string{"point"}, split(body, func(digitsOnly string) [][]string { return [][]string{digits(digitsOnly)} }))
	}
	return prefixed(said, figures(body))
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

// figures returns the readings of a number with what follows it in the same word.
func figures(body string) [][]string {
	lower := strings.ToLower(body)
	end := strings.LastIndexFunc(lower, isASCIIDigit) + 1
	digitsPart, tail := lower[:end], lower[end:]
	switch {
	case strings.Count(digitsPart, ":") == 1:
		if readings := timeOfDay(digitsPart); readings != nil {
			return withUnit(readings, tail, false)
		}
	case strings.Count(digitsPart, "/") == 1:
		if readings := overUnder(digitsPart); readings != nil {
			return withUnit(readings, tail, false)
		}
	}
	readings := decimal(digitsPart)
	if readings == nil {
		return split(lower, integer)
	}
	switch {
	case (tail == "st" || tail == "nd" || tail == "rd" || tail == "th") && isDigits(digitsPart):
		var out [][]string
		for _, r := range cardinals(digitsPart) {
			out = append(out, ordinal(r))
		}
		return out
	case (tail == "s" || tail == "'s") && isDigits(digitsPart):
		var out [][]string
		for _, r := range readings {
			out = append(out, plural(r))
		}
		return out
	}
	return withUnit(readings, strings.TrimRight(tail, "."), digitsPart == "1")
}

// withUnit adds the words of a unit after a number. An unknown unit is read as it is
// written.
func withUnit(readings [][]string, tail string, one bool) [][]string {
	tail = strings.TrimLeft(tail, "-")
	if tail == "" {
		return readings
	}
	u, ok := units()[tail]
	switch {
	case ok && one:
		return suffixed(readings, u.one...)
	case ok:
		return suffixed(readings, u.many...)
	case strings.Trim(tail, ".") == "a.m" || strings.Trim(tail, ".") == "p.m":
		return suffixed(readings, tail[:1], "m")
	}
	return suffixed(readings, ordinary(tail)[0]...)
}

func isDigits(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool { return !isASCIIDigit(r) })
}

// cardinals returns the readings of a number that is not a year.
func cardinals(text string) [][]string {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || len(text) > maxDigits {
		return [][]string{digits(text)}
	}
	return [][]string{cardinal(n, false), cardinal(n, true)}
}

// decimal returns the readings of digits with commas between groups of three and at
// most one point; nil for anything else.
func decimal(text string) [][]string {
	whole, part, hasPoint := strings.Cut(text, ".")
	grouped := strings.Contains(whole, ",")
	if grouped {
		for i, group := range strings.Split(whole, ",") {
			if i > 0 && len(group) != 3 || i == 0 && (len(group) == 0 || len(group) > 3) {
				return nil
			}
		}
		whole = strings.ReplaceAll(whole, ",", "")
	}
	if !isDigits(whole) || hasPoint && !isDigits(part) {
		return nil
	}
	switch {
	case hasPoint && whole == "0":
		point := append([]string{"point"}, digits(part)...)
		return [][]string{append([]string{"zero"}, point...), point, append([]string{"oh"}, point...)}
	case hasPoint:
		return suffixed(cardinals(whole), append([]string{"point"}, digits(part)...)...)
	case grouped:
		return cardinals(whole)
	}
	return integer(whole)
}

func timeOfDay(text string) [][]string {
	h, m, _ := strings.Cut(text, ":")
	hour, err := strconv.Atoi(h)
	minute, err2 := strconv.Atoi(m)
	if err != nil || err2 != nil || len(m) != 2 || hour < 0 || hour > 24 || minute < 0 || minute > 59 {
		return nil
	}
	return clock(hour, minute)
}

func overUnder(text string) [][]string {
	a, b, _ := strings.Cut(text, "/")
	if !isDigits(a) || !isDigits(b) || len(a) > 3 || len(b) > 3 {
		return nil
	}
	over, _ := strconv.ParseInt(a, 10, 64) // three digits
	under, _ := strconv.ParseInt(b, 10, 64)
	return fraction(over, under)
}

// split returns the reading of a word of digits, letters and signs, part by part. It
// calls run for each run of digits.
func split(word string, run func(string) [][]string) [][]string {
	var said []string
	for word != "" {
		digit := isASCIIDigit(rune(word[0]))
		end := strings.IndexFunc(word, func(r rune) bool { return isASCIIDigit(r) != digit })
		if end < 0 {
			end = len(word)
		}
		if digit {
			said = append(said, run(word[:end])[0]...)
		} else {
			said = append(said, ordinary(word[:end])[0]...)
		}
		word = word[end:]
	}
	return [][]string{said}
}

// amount returns the readings of an amount of money.
func amount(text string, money currency, c *context) [][]string {
	lower := strings.ToLower(text)
	end := strings.LastIndexFunc(lower, isASCIIDigit) + 1
	plain, tail := lower[:end], lower[end:]
	scaled := map[string]string{"k": "thousand", "m": "million", "bn": "billion", "b": "billion"}[tail]
	switch {
	case decimal(plain) == nil || tail != "" && scaled == "":
		return suffixed(split(lower, integer), money.many)
	case scaled != "":
		return suffixed(decimal(plain), scaled, money.many)
	case isScale(strings.ToLower(c.next)):
		c.money = money.many
		return decimal(plain)
	}
	whole, part, hasPoint := strings.Cut(strings.ReplaceAll(plain, ",", ""), ".")
	unit := money.many
	if whole == "1" {
		unit = money.one
	}
	if !hasPoint || money.cent == "" || len(part) != 2 {
		if hasPoint {
			return suffixed(decimal(plain), money.many)
		}
		return suffixed(cardinals(whole), unit)
	}
	cents, _ := strconv.Atoi(part) // two digits
	if cents == 0 {
		return suffixed(cardinals(whole), unit)
	}
	small := money.cents
	if cents == 1 {
		small = money.cent
	}
	last := append(belowHundred(cents), small)
	if whole == "0" {
		return [][]string{last}
	}
	var out [][]string
	for _, r := range cardinals(whole) {
		out = append(out, append(append(append([]string(nil), r...), unit), last...),
			append(append(append([]string(nil), r...), unit, "and"), last...), append(append([]string(nil), r...), belowHundred(cents)...))
	}
	return out
}
