package textnorm

import (
	"strconv"
	"strings"
)

// maxDigits is the largest number of digits that are read as a number; longer ones
// are read digit by digit.
const maxDigits = 15

// small are the words of 0 to 19, tens those of 0, 10 to 90.
var small = strings.Fields("zero one two three four five six seven eight nine ten eleven twelve thirteen " +
	"fourteen fifteen sixteen seventeen eighteen nineteen")
var tens = strings.Fields("zero ten twenty thirty forty fifty sixty seventy eighty ninety")

// scales are the words of the powers of 1,000.
var scales = []string{"", "thousand", "million", "billion", "trillion"}

// belowHundred returns the words of 0 to 99.
func belowHundred(n int) []string {
	switch {
	case n < 20:
		return []string{small[n]}
	case n%10 == 0:
		return []string{tens[n/10]}
	default:
		return []string{tens[n/10], small[n%10]}
	}
}

// cardinal returns the words of a number below 10^15. If and is true, "and" comes
// before the last two digits of a group, as in British English.
func cardinal(n int64, and bool) []string {
	if n == 0 {
		return []string{"zero"}
	}
	var words []string
	for group := len(scales) - 1; group >= 0; group-- {
		unit := int64(1)
		for range group {
			unit *= 1000
		}
		part := int(n / unit % 1000)
		if part == 0 {
			continue
		}
		if part >= 100 {
			words = append(words, small[part/100], "hundred")
		}
		if rest := part % 100; rest > 0 {
			if and && (part >= 100 || group == 0 && len(words) > 0) {
				words = append(words, "and")
			}
			words = append(words, belowHundred(rest)...)
		}
		if group > 0 {
			words = append(words, scales[group])
		}
	}
	return words
}

// digits returns the words of a number read digit by digit.
func digits(text string) []string {
	words := make([]string, 0, len(text))
	for _, c := range text {
		words = append(words, small[c-'0'])
	}
	return words
}

// integer returns the readings of a run of digits, the most likely first.
func integer(text string) [][]string {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || len(text) > maxDigits || len(text) > 1 && text[0] == '0' {
		return [][]string{digits(text), oh(text), doubled(digits(text)), doubled(oh(text))}
	}
	readings := withA([][]string{cardinal(n, false), cardinal(n, true)})
	if text == "0" {
		readings = append(readings, word("oh", "nought", "nil")...)
	}
	if len(text) == 4 && n%100 == 0 && n%1000 != 0 && n > 2100 {
		readings = append(readings, append(belowHundred(int(n/100)), "hundred")) // "twenty five hundred"
	}
	if len(text) == 4 && n < 1100 && n > 1000 && n%100 >= 10 {
		readings = append(readings, append(belowHundred(int(n/100)), belowHundred(int(n%100))...)) // "ten sixty six"
	}
	if len(text) == 4 && n >= 1100 && n < 2100 {
		readings = append(append([][]string{year(int(n))}, readings...), years(int(n))...)
	}
	if len(text) >= 3 {
		readings = append(readings, digits(text), oh(text))
	}
	if len(text) == 3 && n%100 >= 10 {
		readings = append(readings, append(belowHundred(int(n/100)), belowHundred(int(n%100))...)) // "nine eleven"
	}
	if len(text) == 4 && n >= 2100 && n%100 >= 10 {
		readings = append(readings, append(belowHundred(int(n/100)), belowHundred(int(n%100))...))
	}
	return readings
}

// oh returns the words of digits with "oh" for 0.
func oh(text string) []string { return withOh(digits(text)) }

// year returns the words of a year from 1100 to 2099, read in two halves.
func year(n int) []string {
	century, rest := n/100, n%100
	switch {
	case n%1000 == 0:
		return cardinal(int64(n), false)
	case rest == 0:
		return append(belowHundred(century), "hundred")
	case century == 20 && rest < 10:
		return cardinal(int64(n), false)
	case rest < 10:
		return append(belowHundred(century), "oh", small[rest])
	default:
		return append(belowHundred(century), belowHundred(rest)...)
	}
}

// years returns further readings of a year.
func years(n int) [][]string {
	century, rest := n/100, n%100
	hundred := append(belowHundred(century), "hundred")
	switch {
	case rest == 0 && n%1000 != 0:
		return nil
	case century == 20 && rest > 0 && rest < 10:
		return [][]string{{"twenty", "oh", small[rest]}}
	case century != 20 && rest > 0:
		return [][]string{append(append(hundred[:2:2], "and"), belowHundred(rest)...), append(hundred, belowHundred(rest)...)}
	}
	return nil
}

// ordinal changes the last word of a number to an ordinal, "three" to "third".
func ordinal(words []string) []string {
	irregular := map[string]string{
		"one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth", "twelve": "twelfth",
	}
	out := append([]string(nil), words...)
	last := out[len(out)-1]
	switch {
	case irregular[last] != "":
		last = irregular[last]
	case strings.HasSuffix(last, "y"):
		last = strings.TrimSuffix(last, "y") + "ieth"
	default:
		last += "th"
	}
	out[len(out)-1] = last
	return out
}

// plural changes the last word to the plural, "ninety" to "nineties".
func plural(words []string) []string {
	out := append([]string(nil), words...)
	last := out[len(out)-1]
	switch {
	case strings.HasSuffix(last, "y"):
		last = strings.TrimSuffix(last, "y") + "ies"
	case strings.HasSuffix(last, "x"):
		last += "es"
	default:
		last += "s"
	}
	out[len(out)-1] = last
	return out
}

// clock returns the readings of a time of day.
func clock(hour, minute int) [][]string {
	h := [][]string{belowHundred(hour)}
	if hour > 12 && hour < 24 {
		h = append(h, belowHundred(hour-12)) // "15:30" as "three thirty"
	}
	var out [][]string
	switch {
	case minute == 0 && hour > 12:
		out = append(suffixed(h[:1], "hundred"), append(suffixed(h, "o'clock"), h...)...)
		out = append(out, suffixed(h[:1], "zero", "zero")...)
	case minute == 0:
		out = append(suffixed(h, "o'clock"), h...)
	case minute < 10:
		out = append(suffixed(h, "oh", small[minute]), suffixed(h, belowHundred(minute)...)...)
		out = append(out, suffixed(h, "zero", small[minute])...)
	default:
		out = suffixed(h, belowHundred(minute)...)
	}
	if minute == 0 && hour == 12 {
		out = append(out, []string{"noon"})
	}
	if minute == 0 && hour%12 == 0 {
		out = append(out, []string{"midnight"})
	}
	return append(out, pastAndTo(hour, minute)...)
}

// pastAndTo returns readings such as "half past seven".
func pastAndTo(hour, minute int) [][]string {
	part := func(minute int) [][]string {
		switch minute {
		case 15:
			return word("quarter", "a quarter", "fifteen minutes")
		case 30:
			return word("half")
		}
		m := belowHundred(minute)
		return [][]string{m, append(m[:len(m):len(m)], "minutes")}
	}
	of := func(hour int) []string { return belowHundred((hour+11)%12 + 1) }
	switch {
	case minute == 0:
		return nil
	case minute == 30:
		return suffixed(part(minute), append([]string{"past"}, of(hour)...)...)
	case minute < 30:
		return append(suffixed(part(minute), append([]string{"past"}, of(hour)...)...), suffixed(few(part(minute), 1), append([]string{"after"}, of(hour)...)...)...)
	}
	return suffixed(part(60-minute), append([]string{"to"}, of(hour+1)...)...)
}

// fraction returns the readings of a simple fraction.
func fraction(over, under int64) [][]string {
	top := cardinal(over, false)
	switch {
	case under == 2 && over == 1:
		return [][]string{{"one", "half"}, {"a", "half"}, {"half"}}
	case under == 2:
		return [][]string{append(top, "halves")}
	case under == 4 && over == 1:
		return [][]string{{"one", "quarter"}, {"a", "quarter"}, {"one", "fourth"}}
	case under == 4:
		return [][]string{append(cardinal(over, false), "quarters"), append(top, "fourths")}
	case under > 2 && under <= 100 && over == 1:
		nth := ordinal(cardinal(under, false))
		return [][]string{append(top, nth...), append([]string{"a"}, nth...)}
	case under > 2 && under <= 100:
		return [][]string{append(top, plural(ordinal(cardinal(under, false)))...)}
	default:
		return nil // it is read otherwise
	}
}
