package tutor

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// newMarks are the marks that a correction may add.
const newMarks = `.,!?;:'"-()`

// markWords are the words that may stand for a mark.
var markWords = map[rune][]string{
	'$': {"dollar", "dollars"}, '€': {"euro", "euros"}, '£': {"pound", "pounds"}, '₫': {"dong", "đồng"}, '¥': {"yen", "yuan"},
	'%': {"percent", "per"}, '°': {"degree", "degrees"}, '&': {"and"}, '@': {"at"}, '+': {"plus", "and"}, '=': {"equals"},
	'/': {"or", "and", "per", "a", "an"}, '<': {"less"}, '>': {"more", "greater"}, '#': {"number"},
}

// isSpecial reports whether r is a mark that is neither punctuation of sentences nor a
// letter.
func isSpecial(r rune) bool {
	return (unicode.IsPunct(r) || unicode.IsSymbol(r)) && !strings.ContainsRune(newMarks, r)
}

// keepsMarks reports whether after has no marks that before does not have, unless a
// word stands for them.
func keepsMarks(before, after []token) bool {
	was := joinKeys(before)
	for _, r := range joinKeys(after) {
		mark := isSpecial(r) || unicode.IsControl(r) && !unicode.IsSpace(r)
		if mark && !strings.ContainsRune(was, r) && !hasAny(words(before), markWords[r]) {
			return false
		}
	}
	return true
}

func hasAny(list, wanted []string) bool {
	return slices.ContainsFunc(wanted, func(w string) bool { return slices.Contains(list, w) })
}

// losesMark reports whether the edit removes a mark for which no word stands. A slash may
// go, and so may a mark that the correction has elsewhere.
func (e edit) losesMark(tokens, after []token) bool {
	from, to := joinKeys(tokens[e.start:e.end]), joinKeys(e.replacement)
	for _, r := range from {
		if !isSpecial(r) || r == '/' || strings.Count(to, string(r)) >= strings.Count(from, string(r)) || hasAny(words(e.replacement), markWords[r]) {
			continue
		}
		if strings.Count(joinKeys(after), string(r)) < strings.Count(joinKeys(tokens), string(r)) {
			return true
		}
	}
	return e.losesMinus(tokens)
}

// formatting are the marks of Markdown. What is between them may be corrected.
const formatting = "*_`#>~|"

// isFormatting reports whether the edit removes only such marks.
func (e edit) isFormatting(tokens []token) bool {
	return e.deletion() && strings.Trim(joinKeys(tokens[e.start:e.end]), formatting+" ") == ""
}

// losesMinus reports whether the edit removes the sign of a number: "-5".
func (e edit) losesMinus(tokens []token) bool {
	for i := e.start; i < e.end && i+1 < len(tokens); i++ {
		next := tokens[i+1]
		if tokens[i].key == "-" && next.start == tokens[i].end && strings.IndexFunc(next.key, unicode.IsDigit) == 0 && (i == 0 || tokens[i-1].space) {
			return !strings.Contains(joinKeys(e.replacement), "-")
		}
	}
	return false
}

var (
	digitRuns  = regexp.MustCompile(`\d+`)
	wholeValue = regexp.MustCompile(`\d+(?:[.:/]\d+)+`)
	thousands  = regexp.MustCompile(`^\d{1,3}(?:[.,]\d{3})+$`)
	oneValue   = regexp.MustCompile(`\d+(?:[.,]\d{3})+`)
)

// longNumber is the number of digits from which on a number is not a word in chats.
const longNumber = 2

// keepsNumbers reports whether after has the numbers of before, and no other ones. A
// number may become its word.
func keepsNumbers(before, after []token, edits []edit) bool {
	wasText, isText := joinKeys(before), joinKeys(after)
	was, is := digitRuns.FindAllString(wasText, -1), digitRuns.FindAllString(isText, -1)
	said := words(after)
	joined, divided := groupsOf(wasText, is), groupsOf(isText, was) // "1,000" may become "1000", and that "1,000"
	for _, n := range is {
		if !slices.Contains(was, n) && !joined.whole[n] && !divided.parts[n] && !hasAny(words(before), []string{numberWords[n]}) {
			return false
		}
	}
	is = slices.AppendSeq(is, maps.Keys(divided.whole))
	for _, t := range before {
		if t.word && digitRuns.FindString(t.key) == t.key && !slices.Contains(is, t.key) && !spokenAs(t.key, said) && !joined.parts[t.key] {
			return false
		}
	}
	for _, n := range digitRuns.FindAllString(wasText, -1) {
		if len(n) >= longNumber && !slices.Contains(is, n) && !spokenAs(n, said) && !joined.parts[n] {
			return false
		}
	}
	return keepsValues(wasText, isText) && !slices.ContainsFunc(edits, func(e edit) bool { return e.swapsNumbers(before) })
}

// grouping has numbers without marks, and their groups of digits.
type grouping struct{ whole, parts map[string]bool }

// groupsOf returns the numbers of a text that have marks between their groups and are
// among others without them.
func groupsOf(text string, others []string) grouping {
	found := grouping{map[string]bool{}, map[string]bool{}}
	for _, value := range oneValue.FindAllString(text, -1) {
		whole := strings.NewReplacer(".", "", ",", "").Replace(value)
		if !slices.Contains(others, whole) {
			continue
		}
		found.whole[whole] = true
		for _, group := range digitRuns.FindAllString(value, -1) {
			found.parts[group] = true
		}
	}
	return found
}

// spokenAs reports whether a number is among the words.
func spokenAs(n string, said []string) bool {
	chat := map[string][]string{"1": {"a", "an"}, "2": {"to", "too"}, "4": {"for"}}[n]
	return hasAny(said, append(chat, numberWords[n])) || hasAny(said, chat)
}

// keepsValues reports whether the parts of "3.5" and "7:30" are still one number.
func keepsValues(was, is string) bool {
	for _, value := range wholeValue.FindAllString(was, -1) {
		if thousands.MatchString(value) {
			continue
		}
		runs := digitRuns.FindAllString(value, -1)
		if found, _ := regexp.MatchString(strings.Join(runs, `[.,:/h-]`), is); !found { // digits only
			return false
		}
	}
	return true
}

// swapsNumbers reports whether the edit replaces a number by another one.
func (e edit) swapsNumbers(tokens []token) bool {
	from, to := words(tokens[e.start:e.end]), words(e.replacement)
	return len(from) == 1 && len(to) == 1 && digitRuns.FindString(from[0]) == from[0] && digitRuns.FindString(to[0]) == to[0] && from[0] != to[0] &&
		e.start > 0 && e.end < len(tokens) && tokens[max(e.start-1, 0)].space
}

// keepsPairs reports whether after has a second quotation mark to each one if before
// has. One behind an "s" may be an apostrophe: "my parents' house".
func keepsPairs(before, after []token) bool {
	for _, mark := range []string{`"`, "'"} {
		was, is := marksOf(before, mark), marksOf(after, mark)
		if was > 0 && was%2 == 0 && is%2 != 0 && (mark != "'" || !strings.Contains(joinKeys(after), "s'")) {
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

// domain matches an address on the web without its scheme.
var domain = regexp.MustCompile(`^[\pL\d-]+(?:\.[\pL\d-]+)*\.(?:com|org|net|edu|gov|info|io|vn|uk|us|de|fr|jp|co|app|dev)(?:/\S*)?$`)

// keepsFixed reports whether after has the addresses, @names and #words of before.
func keepsFixed(before, after []token) bool {
	is := joinKeys(after)
	for _, field := range strings.Fields(joinKeys(before)) {
		field = strings.TrimLeft(strings.TrimRight(field, `.,!?;:'")`), `'"(`)
		tagged := len(field) > 1 && (field[0] == '@' || field[0] == '#') && inWord([]rune(field[1:])[0])
		fixed := tagged || strings.Contains(field, "://") || strings.Contains(field, "www.") || strings.Contains(strings.Trim(field, "@"), "@") || domain.MatchString(field)
		if fixed && !strings.Contains(is, field) {
			return false
		}
	}
	return true
}
