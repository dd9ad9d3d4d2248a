package textnorm

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// figures returns the readings of a number with what follows it in the same word.
func figures(body string) [][]string {
	if readings := special(body); readings != nil {
		return readings
	}
	end := strings.LastIndexFunc(body, isASCIIDigit) + 1
	number, tail := body[:end], body[end:]
	if readings := joined(number); readings != nil {
		return withUnit(readings, tail, false)
	}
	readings := decimal(number)
	if readings == nil {
		if compound := hyphenated(body); compound != nil {
			return compound
		}
		return split(body, integer)
	}
	switch lower := strings.ToLower(tail); {
	case (lower == "st" || lower == "nd" || lower == "rd" || lower == "th") && isDigits(number):
		var out [][]string
		for _, r := range withA(cardinals(number)) {
			out = append(out, ordinal(r))
		}
		return out
	case (lower == "s" || lower == "'s") && isDigits(number):
		var out [][]string
		if strings.Trim(number[1:], "0") == "" && number[0] == '1' && len(number) > 2 {
			out = append(out, plural(cardinals(number)[0][1:])) // "100s"
		}
		for _, r := range readings {
			out = append(out, plural(r))
		}
		if len(number) > 3 {
			return out // years
		}
		return append(out, withUnit(few(readings, 2), tail, number == "1")...)
	}
	if compound := hyphenated(body); compound != nil {
		return append(few(compound, MaxReadings/2), few(withUnit(readings, tail, false), MaxReadings/2)...)
	}
	return withUnit(readings, strings.TrimRight(tail, "."), number == "1")
}

// withUnit adds the words of a unit after a number. An unknown unit is read as it is
// written. One letter may be a unit, a word for many zeros or a letter: "5g", "5m",
// "5G".
func withUnit(readings [][]string, tail string, one bool) [][]string {
	tail = strings.TrimLeft(tail, "-")
	if tail == "" {
		return readings
	}
	lower := strings.ToLower(tail)
	var after [][]string
	if strings.Trim(lower, ".") == "a.m" || strings.Trim(lower, ".") == "p.m" {
		lower = strings.ReplaceAll(lower, ".", "")
	}
	if u, ok := units[lower]; ok {
		after = u.readings(one)
	}
	var letters [][]string
	if strings.ContainsFunc(tail, unicode.IsLetter) {
		letters = ordinary(tail)
	}
	if n := len([]rune(tail)); n > 1 && n <= maxLetters && strings.Trim(lower, "abcdefghijklmnopqrstuvwxyz") == "" {
		letters = append(letters, spelled(tail))
	}
	if tail != lower && len(tail) == 1 {
		after = append(letters, after...) // "5G" is a network, "5g" a weight
	} else {
		after = append(after, letters...)
	}
	if scaled := scaleOf(lower); scaled != "" {
		after = append(after, []string{scaled})
	}
	if len(after) == 0 {
		return readings
	}
	return cross(few(readings, max(1, MaxReadings/len(after))), after)
}

// maxLetters is the number of letters after a number that may be read one by one.
const maxLetters = 4

// scaleOf returns the word for a letter that stands for zeros; "" if there is none.
func scaleOf(tail string) string {
	return map[string]string{"k": "thousand", "m": "million", "mn": "million", "bn": "billion", "b": "billion", "tr": "million"}[tail]
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
	if groupedByDots.MatchString(text) {
		// "50.000" is fifty thousand in Vietnamese, and "3.141" a decimal in English.
		thousands := cardinals(strings.ReplaceAll(text, ".", ""))
		if strings.Count(text, ".") > 1 {
			return thousands
		}
		whole, part, _ := strings.Cut(text, ".")
		return append(suffixed(cardinals(whole), append([]string{"point"}, digits(part)...)...), thousands...)
	}
	if whole, part, ok := strings.Cut(text, ","); ok && isDigits(whole) && isDigits(part) && len(part) < 3 {
		after := digits(part) // "3,5" for "3.5"
		return append(suffixed(few(cardinals(whole), 1), append([]string{"point"}, after...)...), suffixed(few(cardinals(whole), 1), append([]string{"comma"}, after...)...)...)
	}
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
		return append([][]string{append([]string{"zero"}, point...), point, append([]string{"oh"}, point...), append([]string{"nought"}, point...)}, halves(whole, part)...)
	case hasPoint:
		point := append([]string{"point"}, digits(part)...)
		return append(append(suffixed(cardinals(whole), point...), suffixed(cardinals(whole), withOh(point)...)...), halves(whole, part)...)
	case grouped:
		return withA(cardinals(whole))
	}
	return integer(whole)
}

// groupedByDots matches a number with dots between groups of three digits.
var groupedByDots = regexp.MustCompile(`^[1-9]\d{0,2}(?:\.\d{3})+$`)

// withOh returns words with "oh" for "zero".
func withOh(words []string) []string {
	out := append([]string(nil), words...)
	for i, w := range out {
		if w == "zero" {
			out[i] = "oh"
		}
	}
	return out
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

// maxParts is the number of parts of a word up to which each has several readings.
const maxParts = 8

// split returns the readings of a word of digits, letters and signs, part by part. It
// calls run for each run of digits.
func split(word string, run func(string) [][]string) [][]string {
	said := [][]string{nil}
	for parts := 0; word != ""; parts++ {
		digit := isASCIIDigit(rune(word[0]))
		end := strings.IndexFunc(word, func(r rune) bool { return isASCIIDigit(r) != digit })
		if end < 0 {
			end = len(word)
		}
		part := word[:end]
		readings := ordinary(part)
		switch {
		case digit:
			readings = few(run(part), 6)
		case part == "v" && parts == 0:
			readings = append(readings, []string{"version"})
		case sum[part] != nil && len(said[0]) > 0 && end < len(word):
			readings = append(sum[part], ordinary(part)...)
			if part == "." {
				readings = word1("point", "dot", "")
			}
		case len(part) > 1 && len(part) <= maxLetters:
			readings = append(readings, spelled(part)) // "MP3"
		}
		if parts < maxParts {
			said = cross(said, readings)
		} else {
			said = few(said, 1)
			said[0] = append(said[0], readings[0]...)
		}
		word = word[end:]
	}
	return said
}

// amount returns the readings of an amount of money.
func amount(text string, money currency, c *context) [][]string {
	text, per := perUnit(text)
	if per != nil {
		return few(cross(few(amount(text, money, c), MaxReadings/3), per), MaxReadings)
	}
	lower := strings.ToLower(text)
	if m := commaCents.FindStringSubmatch(lower); m != nil {
		lower = m[1] + "." + m[2] // "€3,50"
	}
	end := strings.LastIndexFunc(lower, isASCIIDigit) + 1
	plain, tail := lower[:end], lower[end:]
	scaled := scaleOf(tail)
	switch {
	case joined(plain) != nil:
		return suffixed(few(joined(plain), MaxReadings/2), money.many)
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
		return suffixed(withA(cardinals(whole)), unit)
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
			append(append(append([]string(nil), r...), unit, "and"), last...), append(append([]string(nil), r...), belowHundred(cents)...),
			append(append(append([]string(nil), r...), unit), belowHundred(cents)...))
	}
	return out
}
