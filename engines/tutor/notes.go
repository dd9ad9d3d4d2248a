package tutor

import (
	"strings"

	"github.com/agext/levenshtein"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// leastLikeness is how much a note's change must resemble an edit to explain it.
const leastLikeness = 0.7

// change is a note's own edit: what "wrong" and "right" differ in.
type change struct {
	from, to string // words, lower-cased, joined by spaces
	wrong    string // the note's whole "wrong", for its surroundings
	note     *note
	used     bool
}

// describe gives each edit its type and explanation: from the note that
// resembles it most, else by what can be recognised in the edit itself. A
// pattern that leaves no doubt (word order, punctuation) overrules the note.
func describe(edits []edit, tokens []token, notes []note) {
	changes := changesOf(notes)
	text := strings.ToLower(keyOf(join(tokens)))
	for i := range edits {
		e := &edits[i]
		kind, sure := classify(*e, tokens)
		if c := bestChange(changes, *e, tokens, text); c != nil {
			c.used = true
			e.explanation = strings.TrimSpace(c.note.Explanation)
			if named := errorType(c.note.Type); !sure && named != gatewayv1.GrammarErrorType_GRAMMAR_ERROR_TYPE_UNSPECIFIED {
				kind = named
			}
		}
		e.kind = kind
	}
}

// changesOf compares each note's two texts, so that a note about "she have two
// book" can explain the change of "have" and that of "book".
func changesOf(notes []note) []*change {
	var out []*change
	for i := range notes {
		n := &notes[i]
		from := tokenize(strings.TrimSpace(n.Wrong))
		for _, e := range mergeMoves(compare(from, tokenize(strings.TrimSpace(n.Right))), from) {
			out = append(out, &change{
				from:  plain(from[e.start:e.end]),
				to:    plain(e.replacement),
				wrong: strings.ToLower(keyOf(n.Wrong)),
				note:  n,
			})
		}
	}
	return out
}

// bestChange returns the unused change most like the edit, or nil. Of equally
// like ones it prefers a note whose words stand around the edit, then the
// earlier note.
func bestChange(changes []*change, e edit, tokens []token, text string) *change {
	from, to := plain(tokens[e.start:e.end]), plain(e.replacement)
	var best *change
	bestScore := 0.0
	for _, c := range changes {
		if c.used {
			continue
		}
		likeness := (like(c.from, from) + like(c.to, to)) / 2
		if likeness < leastLikeness {
			continue
		}
		if surrounds(c.wrong, e, tokens, text) {
			likeness++
		}
		if likeness > bestScore {
			best, bestScore = c, likeness
		}
	}
	return best
}

func like(a, b string) float64 {
	if (a == "") != (b == "") || len(a) > 2*len(b)+maxNoteWords || len(b) > 2*len(a)+maxNoteWords {
		return 0
	}
	return levenshtein.Similarity(a, b, nil)
}

// surrounds tells whether the note's wrong words stand at the edit's place.
func surrounds(wrong string, e edit, tokens []token, text string) bool {
	if wrong == "" {
		return false
	}
	at := len(strings.ToLower(keyOf(join(tokens[:e.start]))))
	from := max(0, at-len(wrong))
	to := min(len(text), at+len(strings.ToLower(keyOf(join(tokens[e.start:e.end]))))+len(wrong))
	return from <= to && strings.Contains(text[from:to], wrong)
}

// plain returns the words of the tokens, or their marks if there are no words.
func plain(tokens []token) string {
	if w := words(tokens); len(w) > 0 {
		return strings.Join(w, " ")
	}
	return strings.TrimSpace(keyOf(join(tokens)))
}

func errorType(name string) gatewayv1.GrammarErrorType {
	return gatewayv1.GrammarErrorType(gatewayv1.GrammarErrorType_value[typePrefix+strings.ToUpper(strings.TrimSpace(name))])
}
