package tutor

import (
	"slices"
	"strings"
	"unicode"
)

// keepsMeaning reports whether after says what before says, as far as single words show
// it: a model that answers the text instead of correcting it changes them.
func keepsMeaning(before, after []token, edits []edit) bool {
	was, is := spelledOut(words(before)), spelledOut(words(after))
	return !answers(before, after) && negates(was, is) == negates(is, was) && !changesPerson(was, is) &&
		!slices.ContainsFunc(edits, func(e edit) bool { return e.renames(before) })
}

var (
	// askers begin a question.
	askers = set("do does did is are am was were have has had can could will would shall should may might what who whom whose which where when why how")
	// replies begin an answer.
	replies = set("yes yeah no sure ok okay certainly")
)

// answers reports whether after answers the question that before is.
func answers(before, after []token) bool {
	was, is := words(before), words(after)
	if replies[is[0]] && !slices.ContainsFunc(was, func(w string) bool { return resembles(w, is[0]) }) {
		return true
	}
	if exclaims(was) && is[0] == was[0] && strings.HasSuffix(strings.TrimSpace(joinKeys(after)), "!") {
		return false
	}
	text := strings.TrimSpace(joinKeys(before))
	return len(was) > 0 && askers[was[0]] && strings.HasSuffix(text, "?") && !strings.Contains(joinKeys(after), "?")
}

// exclaims reports whether words may be an exclamation: "What a nice day", "How nice you
// are".
func exclaims(list []string) bool {
	n := len(list)
	return n > 2 && (list[0] == "what" && articles[list[1]] || list[0] == "how" && !askers[list[1]] && subjects[list[n-2]] && askers[list[n-1]])
}

var (
	negative = set("not no never none nothing nobody nowhere neither nor without cannot nope nah ain't aint không khong")
	know     = []string{"know", "knows", "knew", "known", "knowing"}
	// positive are the stems of words that begin like a negation: "improve".
	positive = stems("improve improvement import impress impression impart imprint impose inform information income incoming inside increase " +
		"indeed instead indoor input inland intake insight inbox intend invest insure inspire intent intense invite discover discovery discuss " +
		"display dispose distance discharge discount disappoint disappointment disease distress under until unless union unit")
	auxiliary = set("do does did is are was were have has had ca can wo could would should need must")
)

// negates reports whether the words of one text say no. A prefix that the other text
// does not have counts too: "disagree".
func negates(list, other []string) bool {
	if n := len(list); n > 3 && list[n-2] == "not" && auxiliary[list[n-3]] && subjects[list[n-1]] {
		list = list[:n-3] // ", doesn't she?"
	}
	for _, w := range list {
		if w == "no" && hasAny(other, know) && !hasAny(list, know) {
			continue // "I no him"
		}
		base, found := strings.CutSuffix(strings.ReplaceAll(w, "'", ""), "nt")
		if negative[w] || found && auxiliary[base] {
			return true
		}
		for _, prefix := range []string{"dis", "un", "im", "in"} {
			if rest, found := strings.CutPrefix(w, prefix); found && len(rest) > 2 && !positive[stem(w)] && !slices.Contains(other, prefix) && !slices.Contains(other, w) && slices.Contains(other, rest) {
				return true
			}
		}
	}
	return false
}

// stems returns the stems of words.
func stems(list string) map[string]bool {
	out := map[string]bool{}
	for w := range set(list) {
		out[stem(w)] = true
	}
	return out
}

// changesPerson reports whether after is about another person: "I like" and "she likes".
func changesPerson(was, is []string) bool {
	speaks := func(list []string) bool {
		return slices.ContainsFunc(list, func(w string) bool { return w == "i" || w == "im" || strings.HasPrefix(w, "i'") })
	}
	third := func(list []string, w string) bool {
		return slices.ContainsFunc(list, func(other string) bool { return other == w || strings.HasPrefix(other, w+"'") })
	}
	for _, w := range []string{"he", "she", "they"} {
		if speaks(was) && !speaks(is) && third(is, w) && !third(was, w) || speaks(is) && !speaks(was) && third(was, w) && !third(is, w) {
			return true
		}
	}
	return false
}

// renames reports whether the edit replaces a name within a sentence by another one.
func (e edit) renames(tokens []token) bool {
	if e.end != e.start+1 || len(e.replacement) != 1 || e.start < 2 || shouted(tokens) {
		return false
	}
	from, to := tokens[e.start], e.replacement[0]
	return isName(from.key) && isName(to.key) && wordBefore(tokens, e.start) != "" && !sameName(strings.ToLower(from.key), strings.ToLower(to.key))
}

// sameName reports whether two words in lower case may be spellings of one name, or a
// country and what is of it. Two names that are known are not spellings of one.
func sameName(a, b string) bool {
	if inAny(knownNames, a) && inAny(knownNames, b) {
		return sameGroup(knownNames, a, b)
	}
	return resembles(a, b) || fold(a) == fold(b)
}

func isName(word string) bool {
	runes := []rune(word)
	return len(runes) > 1 && unicode.IsUpper(runes[0]) && strings.IndexFunc(string(runes[1:]), unicode.IsUpper) < 0
}
