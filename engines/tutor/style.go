package tutor

import (
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// label matches what some models write before a correction.
var label = regexp.MustCompile(`(?i)^(?:here is )?(?:the )?(?:corrected|correction|correct|fixed|answer|output|result)(?: (?:text|sentence|version))?\s*:\s*`)

// wrappers are marks that some models put around a correction.
var wrappers = []string{`""`, "''", "“”", "‘’", "()", "[]", "``", "**"}

// unwrapped returns a correction without a label and marks around it that the text does
// not have.
func unwrapped(corrected, text string) string {
	text = strings.TrimSpace(text)
	if found := label.FindString(corrected); found != "" && label.FindString(text) == "" && found != corrected {
		corrected = corrected[len(found):]
	}
	plain := strings.TrimSpace(keysOf(plainOf(text, hiddenInGrammar)))
	for _, w := range wrappers {
		open, _ := utf8.DecodeRuneInString(w)
		end := strings.TrimPrefix(w, string(open))
		inner, isOpen := strings.CutPrefix(corrected, string(open))
		inner, isClosed := strings.CutSuffix(inner, end)
		if !isOpen || !isClosed || strings.TrimSpace(inner) == "" || strings.ContainsAny(inner, w) {
			continue
		}
		if !strings.HasPrefix(plain, keysOf(plainOf(string(open), nil))) {
			corrected = strings.TrimSpace(inner)
		}
	}
	return corrected
}

const (
	quotes = `"'`
	stops  = ".!"
)

// styles reports whether the edit changes only how the text is written, where both ways
// are right: another kind of quotation mark, of space, or of stop, or a stop that is lost.
func (e edit) styles(tokens []token) bool {
	old := tokens[e.start:e.end]
	from, to := joinKeys(old), joinKeys(e.replacement)
	isOne := func(text, of string) bool { return len(text) == 1 && strings.Contains(of, text) }
	switch {
	case hasWords(old) || hasWords(e.replacement):
		return from == "I" && to == "i"
	case from != "" && to != "" && strings.TrimSpace(from+to) == "":
		return true
	case isOne(from, quotes) && isOne(to, quotes), isOne(from, stops) && isOne(to, stops):
		return true
	case isOne(strings.TrimSpace(from), stops) && to == "":
		return !hasWords(tokens[e.end:])
	case from == "" && strings.Trim(to, " .,;:!?") == "":
		marks := strings.ReplaceAll(to, " ", "")
		after := e.start > 0 && strings.Contains(".!?,;:", tokens[e.start-1].key)
		return marks != "" && (after || len(marks) > 1 && !hasWords(tokens[e.end:]))
	}
	return false
}

func hasWords(tokens []token) bool {
	return slices.ContainsFunc(tokens, func(t token) bool { return t.word })
}

// repeated reports whether the edit inserts the word beside it again and again.
func (e edit) repeated(tokens []token) bool {
	again := words(e.replacement)
	if !e.insertion() || len(again) < 2 {
		return false
	}
	before := words(tokens[:e.start])
	return len(before) > 0 && !slices.ContainsFunc(again, func(w string) bool { return w != before[len(before)-1] })
}
