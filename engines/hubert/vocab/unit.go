package vocab

import (
	"strings"
	"unicode"
	"unicode/utf8"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// unitOf returns whether symbols are letters or phonemes. Symbols that are neither,
// such as pieces of words, are unspecified.
func unitOf(symbols []string) gatewayv1.PronunciationUnit {
	switch {
	case isAlphabet(symbols):
		return gatewayv1.PronunciationUnit_PRONUNCIATION_UNIT_LETTER
	case isIPA(symbols) || isARPAbet(symbols):
		return gatewayv1.PronunciationUnit_PRONUNCIATION_UNIT_PHONEME
	}
	return gatewayv1.PronunciationUnit_PRONUNCIATION_UNIT_UNSPECIFIED
}

// isAlphabet reports whether symbols are single characters that include most letters
// of the English alphabet and none that only phonetic alphabets have.
func isAlphabet(symbols []string) bool {
	const most = 20 // of 26
	english := map[string]bool{}
	for _, s := range symbols {
		r, size := utf8.DecodeRuneInString(s)
		if size != len(s) || isPhonetic(r) {
			return false
		}
		if l := strings.ToLower(s); l >= "a" && l <= "z" {
			english[l] = true
		}
	}
	return len(english) >= most
}

// isPhonetic reports whether r is a character of the International Phonetic Alphabet
// that is not a letter in any European language; ə is a letter only in others.
func isPhonetic(r rune) bool {
	return unicode.In(r, &unicode.RangeTable{R16: []unicode.Range16{
		{Lo: 0x0250, Hi: 0x02af, Stride: 1}, // IPA extensions
		{Lo: 0x02c8, Hi: 0x02cc, Stride: 4}, // stress
		{Lo: 0x02d0, Hi: 0x02d1, Stride: 1}, // length
	}}) || r == 'θ' || r == 'ŋ'
}

// isIPA reports whether symbols include several of the International Phonetic
// Alphabet and none that looks like a piece of a word.
func isIPA(symbols []string) bool {
	const least = 5
	const longest = 6 // a diphthong with length and tone marks
	phonetic := 0
	for _, s := range symbols {
		if strings.ContainsFunc(s, isPhonetic) {
			phonetic++
		}
		if utf8.RuneCountInString(s) > longest || strings.HasPrefix(s, "▁") || strings.HasPrefix(s, "##") {
			return false
		}
	}
	return phonetic >= least
}

// arpabet has the phonemes of CMUdict and those that TIMIT adds.
const arpabet = " aa ae ah ao aw ay b ch d dh eh er ey f g hh ih iy jh k l m n ng ow oy p r s sh t th uh uw v w y z zh " +
	"ax axr ix ux em en eng el nx dx q hv pcl tcl kcl bcl dcl gcl h# pau epi sil spn "

// isARPAbet reports whether nearly all symbols are in the ARPAbet, with or without
// stress.
func isARPAbet(symbols []string) bool {
	const least = 20
	known, unknown := 0, 0
	for _, s := range symbols {
		if strings.Contains(arpabet, " "+strings.ToLower(strings.TrimRight(s, "012"))+" ") {
			known++
		} else {
			unknown++
		}
	}
	return known >= least && unknown*10 <= known
}
