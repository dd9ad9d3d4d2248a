package tutor

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/agext/levenshtein"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// The error types, without the generated prefix.
const (
	unspecified = gatewayv1.GrammarErrorType_GRAMMAR_ERROR_TYPE_UNSPECIFIED
	agreement   = gatewayv1.GrammarErrorType_GRAMMAR_ERROR_TYPE_AGREEMENT
	verbTense   = gatewayv1.GrammarErrorType_GRAMMAR_ERROR_TYPE_VERB_TENSE
	article     = gatewayv1.GrammarErrorType_GRAMMAR_ERROR_TYPE_ARTICLE
	preposition = gatewayv1.GrammarErrorType_GRAMMAR_ERROR_TYPE_PREPOSITION
	nounNumber  = gatewayv1.GrammarErrorType_GRAMMAR_ERROR_TYPE_NOUN_NUMBER
	wordOrder   = gatewayv1.GrammarErrorType_GRAMMAR_ERROR_TYPE_WORD_ORDER
	wordChoice  = gatewayv1.GrammarErrorType_GRAMMAR_ERROR_TYPE_WORD_CHOICE
	spelling    = gatewayv1.GrammarErrorType_GRAMMAR_ERROR_TYPE_SPELLING
	punctuation = gatewayv1.GrammarErrorType_GRAMMAR_ERROR_TYPE_PUNCTUATION
	missingWord = gatewayv1.GrammarErrorType_GRAMMAR_ERROR_TYPE_MISSING_WORD
	extraWord   = gatewayv1.GrammarErrorType_GRAMMAR_ERROR_TYPE_EXTRA_WORD
)

const (
	// A misspelt word differs by at most maxSpellingDistance letters, and by at
	// most one letter in maxSpellingShare.
	maxSpellingDistance = 2
	maxSpellingShare    = 3

	// maxLooseWords is the largest number of inserted or deleted words that
	// counts as missing or extra words.
	maxLooseWords = 3
)

// classify returns the error type that the edit itself shows. sure reports
// whether the type is certain, so that a note must not change it.
func classify(e edit, tokens []token) (kind gatewayv1.GrammarErrorType, sure bool) {
	from, to := words(tokens[e.start:e.end]), words(e.replacement)
	if e.kind == wordOrder {
		return wordOrder, true
	}
	if slices.Equal(from, to) || strings.Join(from, "") == strings.Join(to, "") && len(from) == len(to) {
		return punctuation, true
	}
	if len(from) > 1 && sameMultiset(from, to) {
		return wordOrder, true
	}
	switch {
	case allIn(articles, from) && allIn(articles, to):
		return article, false
	case allIn(prepositions, from) && allIn(prepositions, to):
		return preposition, false
	case len(from) == 0 && len(to) <= maxLooseWords:
		return missingWord, false
	case len(to) == 0 && len(from) <= maxLooseWords:
		return extraWord, false
	case len(from) == 1 && len(to) == 1:
		return classifyWord(from[0], to[0], wordBefore(tokens, e.start)), false
	case strings.Join(from, "") == strings.Join(to, ""):
		return spelling, false // "every day" and "everyday"
	}
	return unspecified, false
}

// classifyWord compares one word with one word.
func classifyWord(from, to, before string) gatewayv1.GrammarErrorType {
	switch {
	case len(from) > maxWordBytes || len(to) > maxWordBytes:
		return unspecified
	case sameGroup(agreeing, from, to):
		return agreement
	case sameGroup(confusable, from, to):
		return wordChoice
	case samePlural(from, to):
		return nounNumber
	case addsS(from, to) || addsS(to, from):
		return classifyS(from, to, before)
	case sameVerb(from, to):
		return verbTense
	case regularForms(from, to):
		return verbTense
	case misspelt(from, to) || sameGroup(shortened, from, to) || stretched(from) && unstretched(from) == unstretched(to):
		return spelling
	case inAny(agreeing, from) || inAny(agreeing, to) || prepositions[from] || prepositions[to]:
		return unspecified
	case levenshtein.Similarity(from, to, nil) < similarWords:
		return wordChoice
	}
	return unspecified
}

// classifyS distinguishes the third person of a verb from a plural by the word
// before: "he go" and "two book". It returns unspecified if that word does not
// decide it.
func classifyS(from, to, before string) gatewayv1.GrammarErrorType {
	switch {
	case subjects[before]:
		return agreement
	case quantifiers[before] || articles[before]:
		return nounNumber
	case inAny(irregularVerbs, from) || inAny(irregularVerbs, to):
		return agreement
	}
	return unspecified
}

// addsS reports whether longer is base with a regular -s ending.
func addsS(base, longer string) bool {
	if longer == base+"s" || longer == base+"es" {
		return true
	}
	stem, ok := strings.CutSuffix(base, "y")
	return ok && longer == stem+"ies"
}

// regularForms reports whether two words are forms of one regular verb: work,
// works, worked, working. addsS handles the ending -s.
func regularForms(a, b string) bool {
	return a != b && len(stem(a)) >= 2 && stem(a) == stem(b)
}

// stem removes a regular verb ending. The result need not be a word, but is the
// same for all forms of a verb.
func stem(w string) string {
	for _, ending := range []string{"ing", "ied", "ies", "ed", "es", "s"} {
		s, ok := strings.CutSuffix(w, ending)
		if !ok || len(s) < 2 {
			continue
		}
		if ending == "ied" || ending == "ies" {
			return s
		}
		return reduce(s)
	}
	return reduce(w)
}

// reduce removes what the spelling adds or changes before an ending: stopp →
// stop, like → lik, study → stud.
func reduce(s string) string {
	if n := len(s); n > 3 && s[n-1] == s[n-2] {
		return s[:n-1]
	}
	if t, ok := strings.CutSuffix(s, "e"); ok {
		return t
	}
	if t, ok := strings.CutSuffix(s, "y"); ok {
		return t
	}
	return s
}

func misspelt(from, to string) bool {
	d := levenshtein.Distance(from, to, nil)
	if isSwap(from, to) {
		d = 1
	}
	return d <= maxSpellingDistance && d*maxSpellingShare <= max(utf8.RuneCountInString(to), maxSpellingShare) &&
		!prepositions[from] && !articles[from] && !inAny(agreeing, from)
}

// isSwap reports whether a and b differ by two swapped neighbouring letters:
// "freind".
func isSwap(a, b string) bool {
	ra, rb := []rune(a), []rune(b)
	if len(ra) != len(rb) {
		return false
	}
	for i := 0; i+1 < len(ra); i++ {
		if ra[i] != rb[i] {
			return ra[i] == rb[i+1] && ra[i+1] == rb[i] && slices.Equal(ra[i+2:], rb[i+2:])
		}
	}
	return false
}

// wordBefore returns the word before token i in lower case; "" at the beginning of
// a sentence.
func wordBefore(tokens []token, i int) string {
	for i--; i >= 0; i-- {
		if tokens[i].word {
			return strings.ToLower(tokens[i].key)
		}
		if !tokens[i].space {
			return ""
		}
	}
	return ""
}

func sameMultiset(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

func allIn(set map[string]bool, words []string) bool {
	for _, w := range words {
		if !set[w] {
			return false
		}
	}
	return true
}
