package tutor

import (
	"strings"
	"sync"
	"unicode"

	"github.com/agext/levenshtein"
	"golang.org/x/text/unicode/norm"
)

// What a model that has lost the text gives away.
const (
	leakedWords = 5 // words in a row that come from the prompt
	longNumber  = 2 // digits of a number that must not be lost
)

// plausible reports whether after can be a correction of before. Small models lose a
// text with characters that they have not seen, and continue with pieces of what
// they were trained on. Such an answer must not reach a learner.
func plausible(before, after []token, edits []edit) bool {
	was, is := words(before), words(after)
	known := knownWords(was)
	for _, w := range is {
		if !known[w] && isForeign(w) && !known[fold(w)] {
			return false
		}
	}
	return len(is) > 0 && !leaks(was, is) && !strangeCase(before, after, known) &&
		keepsMarks(joinKeys(before), joinKeys(after)) && keepsNumbers(before, after) && keepsFixed(before, after) &&
		keepsPairs(before, after) && concerns(before, edits, after)
}

// knownWords returns the words of a text and their forms without diacritics.
func knownWords(list []string) map[string]bool {
	known := map[string]bool{}
	for _, w := range list {
		known[w], known[fold(w)] = true, true
	}
	return known
}

// isForeign reports whether a word has letters that English words do not have.
func isForeign(word string) bool {
	return strings.ContainsFunc(word, func(r rune) bool { return r > unicode.MaxASCII })
}

// fold removes the diacritics of a word.
func fold(word string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.Is(unicode.Mn, r):
			return -1
		case r == 'đ':
			return 'd'
		}
		return r
	}, norm.NFD.String(word))
}

// leaks reports whether after has a part of the instructions that before does not
// have.
func leaks(was, is []string) bool {
	text := " " + strings.Join(was, " ") + " "
	for i := 0; i+leakedWords <= len(is); i++ {
		part := " " + strings.Join(is[i:i+leakedWords], " ") + " "
		if strings.Contains(instructions(), part) && !strings.Contains(text, part) {
			return true
		}
	}
	return false
}

// instructions are the words of the prompts, without their examples.
var instructions = sync.OnceValue(func() string {
	var all []string
	for _, prompt := range []string{GrammarPromptEnglish, GrammarPromptVietnamese} {
		prompt, _, _ = strings.Cut(prompt, "Example:")
		all = append(all, words(tokenize(prompt))...)
	}
	return " " + strings.Join(all, " ") + " "
})

// strangeCase reports whether after has a new word with capitals in it, such as the
// name of an error type.
func strangeCase(before, after []token, known map[string]bool) bool {
	text := strings.ToLower(strings.Join(words(before), ""))
	for _, t := range after {
		lower := strings.ToLower(t.key)
		if !t.word || known[lower] || strings.Contains(text, lower) {
			continue
		}
		if strings.ContainsFunc(t.key[1:], unicode.IsUpper) && !shouted(before) {
			return true
		}
	}
	return false
}

// shouted reports whether a text has capitals only.
func shouted(tokens []token) bool {
	text := joinKeys(tokens)
	return strings.ToUpper(text) == text
}

// newMarks are the marks that a correction may add.
const newMarks = `.,!?;:'"-()`

// keepsMarks reports whether after has the symbols of before, and no other ones.
func keepsMarks(was, is string) bool {
	for _, r := range is {
		mark := unicode.IsPunct(r) || unicode.IsSymbol(r) || unicode.IsControl(r) && !unicode.IsSpace(r)
		if mark && !strings.ContainsRune(newMarks, r) && !strings.ContainsRune(was, r) {
			return false
		}
	}
	for _, r := range was {
		if unicode.IsSymbol(r) && strings.Count(is, string(r)) < strings.Count(was, string(r)) {
			return false
		}
	}
	return true
}

// keepsNumbers reports whether after has the long numbers of before, and no other
// numbers. A short one may become a word.
func keepsNumbers(before, after []token) bool {
	was, is := numbers(joinKeys(before)), numbers(joinKeys(after))
	for n := range is {
		if !was[n] {
			return false
		}
	}
	for n := range was {
		if len(n) >= longNumber && !is[n] {
			return false
		}
	}
	return true
}

// keepsPairs reports whether after has a second quotation mark to each one if before
// has.
func keepsPairs(before, after []token) bool {
	for _, mark := range []string{`"`, "'"} {
		was, is := marksOf(before, mark), marksOf(after, mark)
		if was > 0 && was%2 == 0 && is%2 != 0 {
			return false
		}
	}
	return true
}

// marksOf counts a mark that is not within a word.
func marksOf(tokens []token, mark string) int {
	n := 0
	for _, t := range tokens {
		if t.key == mark {
			n++
		}
	}
	return n
}

func numbers(text string) map[string]bool {
	found := map[string]bool{}
	for _, n := range strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsDigit(r) }) {
		found[n] = true
	}
	return found
}

// keepsFixed reports whether after has the addresses of before.
func keepsFixed(before, after []token) bool {
	is := joinKeys(after)
	for _, field := range strings.Fields(joinKeys(before)) {
		if strings.Contains(field, "://") || strings.Contains(field, "www.") || strings.Contains(strings.Trim(field, "@"), "@") {
			if !strings.Contains(is, strings.TrimRight(field, `.,!?;:'")`)) {
				return false
			}
		}
	}
	return true
}

func isSmall(w string) bool {
	return articles[w] || prepositions[w] || subjects[w] || quantifiers[w] || small[w] || inAny(agreeing, w)
}

// small are further words that have little meaning alone.
var small = set("and or but so if because when while than as not very much too also just me him us them be been being had will would can could should may might must what how why where whose who going got get")

// resembles reports whether two words are forms of one word, or nearly spelt alike.
func resembles(a, b string) bool {
	return sameWord(a, b) || len(a) <= maxWordBytes && len(b) <= maxWordBytes && levenshtein.Similarity(a, b, nil) >= similarWords
}

// sameWord reports whether two words are known to be forms of one, or easily confused.
func sameWord(a, b string) bool {
	return sameVerb(a, b) || sameGroup(confusable, a, b) || sameGroup(plurals, a, b) || sameGroup(shortened, a, b)
}
