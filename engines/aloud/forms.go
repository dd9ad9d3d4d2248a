package aloud

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// styled are letters, digits and units that NFKC makes ordinary ones. Other
// characters keep their form, because speech engines know it: "½", "²", "™".
var styled = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 0x1d2c, Hi: 0x1d6a, Stride: 1}, {Lo: 0x2071, Hi: 0x2071, Stride: 1}, {Lo: 0x207f, Hi: 0x209c, Stride: 1}, // raised and lowered
		{Lo: 0x2103, Hi: 0x2103, Stride: 1}, {Lo: 0x2109, Hi: 0x2109, Stride: 1}, // ℃, ℉
		{Lo: 0x2160, Hi: 0x217f, Stride: 1}, // Roman numerals
		{Lo: 0x3000, Hi: 0x3000, Stride: 1}, // the full-width space
		{Lo: 0x3371, Hi: 0x33df, Stride: 1}, // units
		{Lo: 0xfb00, Hi: 0xfb06, Stride: 1}, // ligatures
		{Lo: 0xfe50, Hi: 0xfe6b, Stride: 1}, // small marks
		{Lo: 0xff00, Hi: 0xff60, Stride: 1}, // full-width forms
	},
	R32: []unicode.Range32{
		{Lo: 0x1d400, Hi: 0x1d7ff, Stride: 1}, // mathematical letters
	},
}

// circled are letters and digits in circles, brackets or with a full stop.
var circled = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 0x2460, Hi: 0x24ff, Stride: 1}, {Lo: 0x2776, Hi: 0x2793, Stride: 1},
		{Lo: 0x3251, Hi: 0x325f, Stride: 1}, {Lo: 0x32b1, Hi: 0x32bf, Stride: 1},
	},
	R32: []unicode.Range32{{Lo: 0x1f100, Hi: 0x1f169, Stride: 1}},
}

const (
	keycap    = '\u20e3' // makes a key of the digit before it
	presented = '\ufe0f' // asks for the coloured form of the character before it
)

// isSkin reports whether a character is only the skin colour of the emoji before it.
func isSkin(r rune) bool { return r >= 0x1f3fb && r <= 0x1f3ff }

// invisible reports whether a character is only for the layout.
func invisible(r rune) bool { return strings.ContainsRune("\u200b\u2060\ufeff\u00ad", r) }

// Letters returns a text with ordinary letters and digits for full-width, circled and
// styled ones, and without invisible characters.
func Letters(text string) string { return forms(norm.NFC.String(text)) }

// forms replaces styled characters by ordinary ones and removes invisible ones.
func forms(text string) string {
	text = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u2028", "\n", "\u2029", "\n\n").Replace(text)
	var b strings.Builder
	runes := []rune(text)
	for i, r := range runes {
		switch {
		case invisible(r), r == keycap, r == presented, isSkin(r): // engines that see them read another sign
		case isApostrophe(r) && i > 0 && inWord(runes[i-1]):
			b.WriteByte('\'')
		case unicode.Is(circled, r):
			// "①Apples" is one thing and another.
			isLetter := strings.ContainsFunc(inCircle(r), unicode.IsLetter)
			if i > 0 && (inWord(runes[i-1]) || unicode.Is(circled, runes[i-1]) && !isLetter) {
				b.WriteByte(' ')
			}
			b.WriteString(inCircle(r))
			if i+1 < len(runes) && inWord(runes[i+1]) {
				b.WriteByte(' ')
			}
		case unicode.Is(styled, r):
			b.WriteString(norm.NFKC.String(string(r)))
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// isApostrophe reports whether keyboards write r for an apostrophe; engines read it as
// a letter or sign of its own.
func isApostrophe(r rune) bool { return r == 'ʼ' || r == 'ʻ' || r == 'ʹ' }

// inCircle returns what is in the circle, without brackets and full stop.
func inCircle(r rune) string {
	switch {
	case r >= 0x2776 && r <= 0x2793: // three sets from 1 to 10
		return number((r-0x2776)%10 + 1)
	case r == 0x24ff:
		return "0"
	case r >= 0x24eb && r <= 0x24f4:
		return number(r - 0x24eb + 11)
	case r >= 0x24f5 && r <= 0x24fe:
		return number(r - 0x24f5 + 1)
	}
	return strings.Trim(norm.NFKC.String(string(r)), "(). ,")
}

// number returns a number below 100.
func number(n rune) string {
	if n < 10 {
		return string('0' + n)
	}
	return string('0'+n/10) + string('0'+n%10)
}

func inWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
