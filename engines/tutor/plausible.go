package tutor

import (
	"slices"
	"strings"
	"sync"
	"unicode"

	"github.com/agext/levenshtein"
	"golang.org/x/text/unicode/norm"
)

// leakedWords is the number of words in a row from the prompt that no correction has.
const leakedWords = 5

// plausible reports whether after can be a correction of before. Small models lose a
// text with characters that they have not seen, and continue with pieces of what
// they were trained on. Such an answer must not reach a learner.
func plausible(before, after []token, edits []edit) bool {
	was, is := words(before), words(after)
	known := knownWords(was)
	for _, w := range is {
		if !known[w] && (isForeign(w) && !known[fold(w)] || stretched(w) && strings.Trim(w, "ivxlcdm") != "") {
			return false
		}
	}
	return len(is) > 0 && !leaks(was, is) && !strangeCase(before, after, known) &&
		keepsMarks(before, after) && keepsNumbers(before, after, edits) && keepsFixed(before, after) && keepsPairs(before, after) &&
		keepsMeaning(before, after, edits) && concerns(before, edits, after)
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
	was := words(before)
	letters := strings.NewReplacer("'", "", "-", "")
	text := letters.Replace(strings.Join(was, ""))
	for _, t := range after {
		lower := strings.ToLower(t.key)
		if !t.word || known[lower] || !strings.ContainsFunc(t.key[1:], unicode.IsUpper) || strings.Contains(text, letters.Replace(lower)) {
			continue
		}
		if !slices.ContainsFunc(was, func(w string) bool { return sameWord(w, lower) }) && !shouted(before) { // "k" may become "OK"
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

func isSmall(w string) bool {
	return articles[w] || prepositions[w] || subjects[w] || quantifiers[w] || small[w] || inAny(agreeing, w)
}

// small are further words that have little meaning alone.
var small = set("and or but so if because when while than as not very much too also just me him us them be been being had will would can could should may might must what how why where whose who going got get")

// resembles reports whether two words are forms of one word, or nearly spelt alike.
func resembles(a, b string) bool {
	return sameWord(a, b) || stretched(a) && unstretched(a) == unstretched(b) || len(a) <= maxWordBytes && len(b) <= maxWordBytes && levenshtein.Similarity(a, b, nil) >= similarWords
}

// sameWord reports whether two words are known to be forms of one, or easily confused.
func sameWord(a, b string) bool {
	return sameVerb(a, b) || sameGroup(confusable, a, b) || samePlural(a, b) || sameGroup(shortened, a, b) || sameNumber(a, b)
}

// sameNumber reports whether one is the word for the other: "3" and "three".
func sameNumber(a, b string) bool {
	return numberWords[a] == b && b != "" || numberWords[b] == a && a != ""
}

// stretchedRun is how many equal letters in a row show that a word is stretched: "sooo".
const stretchedRun = 3

func stretched(w string) bool {
	run, last := 0, rune(0)
	for _, r := range w {
		if r != last {
			run, last = 0, r
		}
		if run++; run == stretchedRun && unicode.IsLetter(r) {
			return true
		}
	}
	return false
}

// unstretched returns a word with one letter for several equal ones.
func unstretched(w string) string {
	return string(slices.Compact([]rune(w)))
}
