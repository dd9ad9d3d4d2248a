package textnorm

import (
	"regexp"
	"strconv"
	"strings"
)

// MaxReadings is the largest number of readings of a word.
const MaxReadings = 32

// cross returns each reading of a followed by each of b, at most MaxReadings.
func cross(a, b [][]string) [][]string {
	var out [][]string
	for _, first := range a {
		for _, second := range b {
			if len(out) == MaxReadings {
				return out
			}
			out = append(out, append(append([]string(nil), first...), second...))
		}
	}
	return out
}

// word returns readings of one word each.
func word(list ...string) [][]string {
	var out [][]string
	for _, w := range list {
		out = append(out, strings.Fields(w))
	}
	return out
}

// few returns the first n readings.
func few(readings [][]string, n int) [][]string { return readings[:min(n, len(readings))] }

var (
	twoNumbers   = regexp.MustCompile(`^(\d+(?:[.,]\d+)*)([-–—−:/])(\d+(?:[.,]\d+)*)$`)
	threeNumbers = regexp.MustCompile(`^(\d{1,4})([-/.])(\d{1,2})([-/.])(\d{1,4})$`)
	numberGroups = regexp.MustCompile(`^\d+(?:[-.]\d+)+$`)
)

// joined returns the readings of numbers with a sign between them: "10-15", "8/10",
// "7:30", "20/11/2024"; nil if the text is something else.
func joined(text string) [][]string {
	if m := threeNumbers.FindStringSubmatch(text); m != nil && m[2] == m[4] {
		if readings := date(m[1], m[3], m[5]); readings != nil {
			return readings
		}
	}
	m := twoNumbers.FindStringSubmatch(text)
	if m == nil {
		if strings.Contains(text, "-") && numberGroups.MatchString(text) {
			return [][]string{digits(onlyDigits(text)), oh(onlyDigits(text))} // a telephone number
		}
		return nil
	}
	switch m[2] {
	case ":":
		if readings := timeOfDay(text); readings != nil {
			return readings
		}
		if m[1] == "0" && m[3] == "0" {
			return span(m[1], m[3])
		}
		return between(m[1], m[3], "", "to")
	case "/":
		return overUnder(m[1], m[3])
	}
	return span(m[1], m[3])
}

// between returns the readings of two numbers with each of the words between them.
func between(a, b string, words ...string) [][]string {
	first, second := few(numeric(a), 2), few(numeric(b), 2)
	var out [][]string
	for _, w := range words {
		out = append(out, cross(suffixed(first, strings.Fields(w)...), second)...)
	}
	return out
}

// span returns the readings of "10-15", which may be a range, a score or a difference.
func span(a, b string) [][]string {
	out := between(a, b, "to", "", "minus", "dash", "through")
	out = append(out, prefixed([]string{"from"}, between(a, b, "to"))...)
	out = append(out, prefixed([]string{"between"}, between(a, b, "and"))...)
	if b == "0" {
		for _, r := range few(numeric(a), 1) {
			out = append(out, cross([][]string{r}, word("nil", "to nil", "oh", "to nothing", "nothing", "love", "to love"))...)
		}
	}
	if a == "0" && b == "0" {
		out = append(word("nil nil", "zero zero", "nothing nothing", "love all"), out...)
	}
	if len(a)+len(b) >= 7 && isDigits(a+b) {
		out = append(out, digits(a+b), oh(a+b))
	}
	return out
}

// overUnder returns the readings of "8/10": a fraction, a part of a whole, two numbers
// or a day.
func overUnder(a, b string) [][]string {
	if !isDigits(a) || !isDigits(b) || len(a) > 4 || len(b) > 4 {
		return between(a, b, "", "slash", "over", "per")
	}
	over, _ := strconv.ParseInt(a, 10, 64) // four digits
	under, _ := strconv.ParseInt(b, 10, 64)
	pair := between(a, b, "")
	parts := fraction(over, under)
	var out [][]string
	if over < under {
		out = append(append(out, parts...), pair...)
	} else {
		out = append(append(out, pair...), parts...)
	}
	for _, w := range []string{"out of", "over", "slash"} {
		out = append(out, few(between(a, b, w), 1)...)
	}
	out = append(out, day(int(over), int(under))...)
	return append(out, day(int(under), int(over))...)
}

var months = strings.Fields("january february march april may june july august september october november december")

// isMonth reports whether a word is the name of a month, or the beginning of one with
// three letters or more.
func isMonth(word string) bool {
	word = strings.ToLower(strings.TrimRight(word, "."))
	for _, m := range months {
		if word == m || len(word) >= 3 && len(word) <= 4 && strings.HasPrefix(m, word) {
			return true
		}
	}
	return false
}

// day returns the readings of a day of the year; nil if there is none.
func day(d, month int) [][]string {
	if d < 1 || d > 31 || month < 1 || month > 12 {
		return nil
	}
	name, nth := months[month-1], ordinal(belowHundred(d))
	return [][]string{
		append(append([]string{"the"}, nth...), "of", name), append([]string{name}, nth...),
		append(nth[:len(nth):len(nth)], "of", name), append([]string{name}, belowHundred(d)...),
		append([]string{name, "the"}, nth...),
	}
}

// date returns the readings of a date in any order of its parts; nil if it is none.
func date(a, b, c string) [][]string {
	first, _ := strconv.Atoi(a) // four digits
	second, _ := strconv.Atoi(b)
	third, _ := strconv.Atoi(c)
	var out [][]string
	switch {
	case len(a) == 4 && len(c) <= 2:
		out = cross(day(third, second), yearOf(a))
	case len(a) <= 2 && (len(c) == 4 || len(c) == 2):
		dayFirst, monthFirst := day(first, second), day(second, first)
		if first == second {
			monthFirst = nil
		}
		out = append(few(cross(few(dayFirst, 4), yearOf(c)), 12), few(cross(few(monthFirst, 4), yearOf(c)), 12)...)
	}
	if out == nil {
		return nil
	}
	plain := cross(cross(few(integer(a), 1), few(integer(b), 1)), yearOf(c))
	return append(out, few(plain, 3)...)
}

// yearOf returns the readings of a year with two or four digits.
func yearOf(text string) [][]string {
	if len(text) == 4 {
		return few(integer(text), 3)
	}
	return few(integer(text), 2)
}

func onlyDigits(text string) string {
	return strings.Map(func(r rune) rune {
		if isASCIIDigit(r) {
			return r
		}
		return -1
	}, text)
}

// numeric returns the readings of one number.
func numeric(text string) [][]string {
	if readings := decimal(text); readings != nil {
		return readings
	}
	return split(text, integer)
}

// withA adds readings with "a" for "one" before "hundred" and the like.
func withA(readings [][]string) [][]string {
	out := readings
	for _, r := range readings {
		if len(r) > 1 && r[0] == "one" && isScale(r[1]) {
			out = append(out, append([]string{"a"}, r[1:]...))
		}
	}
	return out
}

// halves returns further readings of a decimal that ends with .5.
func halves(whole, part string) [][]string {
	if part != "5" {
		return nil
	}
	if whole == "0" {
		return word("half", "a half", "one half")
	}
	return suffixed(cardinals(whole), "and", "a", "half")
}

// vulgar has the fractions that are one character.
var vulgar = map[rune][2]int64{'½': {1, 2}, '¼': {1, 4}, '¾': {3, 4}, '⅓': {1, 3}, '⅔': {2, 3}, '⅕': {1, 5}, '⅛': {1, 8}, '⅙': {1, 6}, '⅚': {5, 6}, '⅖': {2, 5}, '⅗': {3, 5}, '⅘': {4, 5}, '⅜': {3, 8}, '⅝': {5, 8}, '⅞': {7, 8}}

// mixed returns the readings of a number with a fraction: "2½"; nil if the word is
// none.
func mixed(text string) [][]string {
	runes := []rune(text)
	f, ok := vulgar[runes[len(runes)-1]]
	whole := string(runes[:len(runes)-1])
	switch {
	case !ok || whole != "" && !isDigits(whole):
		return nil
	case whole == "":
		return fraction(f[0], f[1])
	}
	return cross(suffixed(few(cardinals(whole), 1), "and"), fraction(f[0], f[1]))
}
