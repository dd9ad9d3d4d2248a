package tutor

import (
	"strings"

	"github.com/agext/levenshtein"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// minSimilarity is how similar a note's change must be to an edit to explain it.
const minSimilarity = 0.7

// change is one difference between a note's "wrong" and "right".
type change struct {
	from, to string // words in lower case, joined by spaces
	wrong    string // the note's whole "wrong", which shows the context
	note     *note
	used     bool
}

// describe sets the type and explanation of each edit from the most similar note.
// Without one, the type is what classify finds. If classify is sure (word order,
// punctuation), its type is used even if a note says otherwise.
func describe(edits []edit, tokens []token, notes []note) {
	changes := changesOf(notes)
	text := strings.ToLower(joinKeys(tokens))
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

// changesOf compares the two texts of each note, so that a note about "she have
// two book" can explain the edit of "have" and that of "book".
func changesOf(notes []note) []*change {
	var out []*change
	for i := range notes {
		n := &notes[i]
		from := tokenize(strings.TrimSpace(n.Wrong))
		for _, e := range mergeMoves(compare(from, tokenize(strings.TrimSpace(n.Right))), from) {
			out = append(out, &change{
				from:  plain(from[e.start:e.end]),
				to:    plain(e.replacement),
				wrong: strings.ToLower(joinKeys(tokenize(n.Wrong))),
				note:  n,
			})
		}
	}
	return out
}

// bestChange returns the unused change that is most similar to the edit, or nil.
// It prefers a note whose words surround the edit, then the earlier note.
func bestChange(changes []*change, e edit, tokens []token, text string) *change {
	from, to := plain(tokens[e.start:e.end]), plain(e.replacement)
	var best *change
	bestScore := 0.0
	for _, c := range changes {
		if c.used {
			continue
		}
		resemblance := (similarity(c.from, from) + similarity(c.to, to)) / 2
		if resemblance < minSimilarity {
			continue
		}
		if surrounds(c.wrong, e, tokens, text) {
			resemblance++
		}
		if resemblance > bestScore {
			best, bestScore = c, resemblance
		}
	}
	return best
}

func similarity(a, b string) float64 {
	if (a == "") != (b == "") || len(a) > 2*len(b)+maxNoteWords || len(b) > 2*len(a)+maxNoteWords {
		return 0
	}
	return levenshtein.Similarity(a, b, nil)
}

// surrounds reports whether the text around the edit contains the note's wrong
// words.
func surrounds(wrong string, e edit, tokens []token, text string) bool {
	if wrong == "" {
		return false
	}
	at := len(strings.ToLower(joinKeys(tokens[:e.start])))
	from := max(0, at-len(wrong))
	to := min(len(text), at+len(strings.ToLower(joinKeys(tokens[e.start:e.end])))+len(wrong))
	return from <= to && strings.Contains(text[from:to], wrong)
}

// plain returns the words of the tokens, or their punctuation if there are none.
func plain(tokens []token) string {
	if w := words(tokens); len(w) > 0 {
		return strings.Join(w, " ")
	}
	return strings.TrimSpace(joinKeys(tokens))
}

func errorType(name string) gatewayv1.GrammarErrorType {
	return gatewayv1.GrammarErrorType(gatewayv1.GrammarErrorType_value[typePrefix+strings.ToUpper(strings.TrimSpace(name))])
}
