// Package aloud finds what of a text is read aloud. Chat programs write Markdown and
// HTML, and speech engines would read their marks: "asterisk", "less than". It is
// pure Go and knows nothing about engines.
//
// A parser of Markdown would not do: in "1986. A great year" it sees a list, and in
// "5*3*2" emphasis.
package aloud

import (
	"regexp"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// Text returns a text as it is read aloud, in NFC:
//   - without the marks of Markdown, HTML and SSML, and without addresses behind links;
//   - with a full stop after headings, list items and rows of tables that have none;
//   - with ordinary letters and digits for full-width, circled and styled ones;
//   - in English and Vietnamese, with words for numbers with signs and units;
//   - with abbreviations that do not end a sentence in full, or without their dot, or
//     with a no-break space after it.
//
// Phonemes in [[ ]] stay as they are. language is that of the voice, such as "en-us";
// it may be empty.
func Text(text, language string) string {
	text, phonemes := hidePhonemes(text)
	text = forms(norm.NFC.String(text))
	text = withoutTags(text)
	text = lines(text)
	text = abbreviations(apart(text, language), language)
	text = figures(text, language)
	text = withSigns(text, language)
	return showPhonemes(withoutTones(text, language), phonemes)
}

// placeholder stands for [[ phonemes ]].
const placeholder = "\ue000"

var phonemePattern = regexp.MustCompile(`\[\[.*?\]\]`)

func hidePhonemes(text string) (string, []string) {
	text = strings.ReplaceAll(text, placeholder, "")
	return phonemePattern.ReplaceAllLiteralString(text, placeholder), phonemePattern.FindAllString(text, -1)
}

func showPhonemes(text string, phonemes []string) string {
	parts := strings.Split(text, placeholder)
	var b strings.Builder
	for i, part := range parts {
		b.WriteString(part)
		if i+1 < len(parts) && i < len(phonemes) {
			b.WriteString(phonemes[i])
		}
	}
	return b.String()
}

// signs are the words of a language for signs that speech engines leave out.
type signs struct{ less, greater, heart string }

// signsOf returns the words of a language; ok is false if they are not known.
func signsOf(language string) (s signs, ok bool) {
	switch base(language) {
	case "en":
		return signs{"less than", "greater than", "heart"}, true
	case "vi":
		return signs{"nhỏ hơn", "lớn hơn", "trái tim"}, true
	}
	return signs{}, false
}

// base returns a language without its region.
func base(language string) string {
	name, _, _ := strings.Cut(strings.ToLower(language), "-")
	return name
}

var (
	heart   = regexp.MustCompile(`(^|\s)<3+(\s|[.,!?]|$)`)
	compare = regexp.MustCompile(`[\pL\d)] [<>] [\pL\d(]|[\pL\d)][<>][\pL\d(]`)
)

// withSigns replaces "<3", and "<" and ">" between words by words of the language.
func withSigns(text, language string) string {
	s, ok := signsOf(language)
	if !ok || !strings.ContainsAny(text, "<>") {
		return text
	}
	text = heart.ReplaceAllString(text, "${1}"+s.heart+"${2}")
	words := strings.NewReplacer("<", " "+s.less+" ", ">", " "+s.greater+" ")
	for range 2 { // in "a < b < c", "b" belongs to two of them
		text = compare.ReplaceAllStringFunc(text, func(found string) string {
			return strings.Join(strings.FieldsFunc(words.Replace(found), func(r rune) bool { return r == ' ' }), " ")
		})
	}
	return text
}

// withoutTones returns a text with the letters that only Vietnamese has as their base
// letters, for a voice of another language: it would spell them, as in "Nguyễn".
func withoutTones(text, language string) string {
	if !unmarked[base(language)] || !strings.ContainsFunc(text, toneless) {
		return text
	}
	return strings.Map(func(r rune) rune {
		switch {
		case !toneless(r):
			return r
		case r == 'đ':
			return 'd'
		case r == 'Đ':
			return 'D'
		}
		return []rune(norm.NFD.String(string(r)))[0]
	}, text)
}

// unmarked are languages that have none of these letters themselves, as Croatian, Welsh
// and Yoruba have.
var unmarked = set("en de fr es it pt nl da nb no sv fi pl cs sk hu ro tr id ms")

// toneless reports whether a letter occurs in Vietnamese only.
func toneless(r rune) bool {
	return r >= 0x1ea0 && r <= 0x1ef9 || strings.ContainsRune("ơƠưƯđĐ", r)
}
