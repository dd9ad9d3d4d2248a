package textnorm

import (
	"strings"
	"unicode"
)

// romanDigits are the parts of Roman numerals, the largest first.
var romanDigits = []struct {
	value int
	text  string
}{
	{1000, "M"}, {900, "CM"}, {500, "D"}, {400, "CD"}, {100, "C"}, {90, "XC"}, {50, "L"}, {40, "XL"},
	{10, "X"}, {9, "IX"}, {5, "V"}, {4, "IV"}, {1, "I"},
}

// maxRoman is the largest Roman numeral that is read as a number.
const maxRoman = 3999

// roman returns the value of a Roman numeral; 0 if the word is none.
func roman(text string) int {
	n, rest := 0, text
	for _, d := range romanDigits {
		for strings.HasPrefix(rest, d.text) {
			n, rest = n+d.value, rest[len(d.text):]
		}
	}
	if rest != "" || n == 0 || n > maxRoman || romanOf(n) != text {
		return 0
	}
	return n
}

func romanOf(n int) string {
	var b strings.Builder
	for _, d := range romanDigits {
		for n >= d.value {
			b.WriteString(d.text)
			n -= d.value
		}
	}
	return b.String()
}

// romanReadings returns the readings of a Roman numeral; nil if the word is none. One
// letter is one only behind a name or a word such as "Part".
func romanReadings(text, before string) [][]string {
	n := roman(text)
	first := []rune(before)
	named := len(first) > 1 && unicode.IsUpper(first[0])
	if n == 0 || len(text) == 1 && (!named || strings.Trim(text, "IVX") != "" || text == "I" && !parts[strings.ToLower(before)]) {
		return nil
	}
	said := few(integer(digitsOf(n)), 3)
	var nth [][]string
	if n < 100 {
		nth = [][]string{append([]string{"the"}, ordinal(belowHundred(n))...), ordinal(belowHundred(n))}
	}
	numeral := append(said, nth...)
	if len(text) == 1 || strings.Trim(text, "IVX") != "" {
		return append(ordinary(text), numeral...) // "MIX", "CD" and "V" are words or letters first
	}
	return append(numeral, ordinary(text)...)
}

// parts are words that are followed by a number.
var parts = func() map[string]bool {
	out := map[string]bool{}
	for _, w := range strings.Fields("part chapter section book volume act scene war unit lesson level type phase class article figure table episode season") {
		out[w] = true
	}
	return out
}()

func digitsOf(n int) string {
	var out []byte
	for ; n > 0; n /= 10 {
		out = append([]byte{byte('0' + n%10)}, out...) //nolint:gosec // a digit
	}
	return string(out)
}
