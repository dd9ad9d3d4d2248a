package tutor

import (
	"slices"
	"strings"
	"time"

	"github.com/agext/levenshtein"
	"github.com/sergi/go-diff/diffmatchpatch"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// edit replaces the tokens [start, end) of the original text.
type edit struct {
	start, end  int
	replacement []token
	kind        gatewayv1.GrammarErrorType
	explanation string
}

// diffLimit is how long the shortest difference is searched for. After that the
// edits are coarser, but still correct.
const diffLimit = time.Second

// surrogates is the first of surrogateCount code points that a Go string cannot
// contain.
const (
	surrogates     = 0xD800
	surrogateCount = 0x800
)

// Two words count as forms of one word if their similarity is similarWords or
// more. Tokens longer than maxWordBytes are not words and are not compared.
const (
	similarWords = 0.5
	maxWordBytes = 160
)

func (e edit) insertion() bool { return e.start == e.end }
func (e edit) deletion() bool  { return len(e.replacement) == 0 }

// hides reports whether there are hidden characters between the tokens of the edit,
// or where it inserts words. It is not known where they belong then: "I ❤ you" must
// not become "I ❤ love you".
func (e edit) hides(tokens []token) bool {
	first, last := e.start, e.end-1
	if e.insertion() {
		if len(words(e.replacement)) == 0 {
			return false
		}
		first, last = e.start-1, e.start
	}
	for i := max(first, 0); i < min(last, len(tokens)-1); i++ {
		if tokens[i].end != tokens[i+1].start {
			return true
		}
	}
	return false
}

// joinsLines reports whether the edit removes the end of a line, which is not for a
// correction to do.
func (e edit) joinsLines(tokens []token) bool {
	return strings.Contains(joinKeys(tokens[e.start:e.end]), "\n") && !strings.Contains(joinKeys(e.replacement), "\n")
}

// void reports whether the edit changes nothing. That happens if the plain form of a
// mark depends on what follows it.
func (e edit) void(tokens []token) bool { return join(tokens[e.start:e.end]) == join(e.replacement) }

// repeats reports whether the edit says again what stands beside it: "I hope you I
// hope you have a good day".
func (e edit) repeats(tokens []token) bool {
	again := words(e.replacement)
	if !e.insertion() || len(again) < 2 {
		return false
	}
	before, after := words(tokens[:e.start]), words(tokens[e.end:])
	return len(before) >= len(again) && slices.Equal(before[len(before)-len(again):], again) ||
		len(after) >= len(again) && slices.Equal(after[:len(again)], again)
}

// keepUnknown returns the edits without those that spoil a word of another language or
// lose a mark, and without those beside them: they belong together.
func keepUnknown(edits []edit, tokens, after []token) []edit {
	spoils := func(e edit) bool {
		return e.spoils(tokens) || e.losesMark(tokens, after) && !e.isFormatting(tokens)
	}
	var out []edit
	for i, e := range edits {
		spoiled := spoils(e) ||
			i > 0 && e.start-edits[i-1].end <= 1 && spoils(edits[i-1]) ||
			i+1 < len(edits) && edits[i+1].start-e.end <= 1 && spoils(edits[i+1])
		if !spoiled {
			out = append(out, e)
		}
	}
	return out
}

// spoils reports whether the edit removes or misspells a word of another language, such
// as "bún" in an English text. It may translate one, and change its diacritics.
func (e edit) spoils(tokens []token) bool {
	to := words(e.replacement)
	return slices.ContainsFunc(words(tokens[e.start:e.end]), func(w string) bool {
		plain := fold(w)
		if !isForeign(w) || slices.ContainsFunc(to, func(other string) bool { return fold(other) == plain }) {
			return false
		}
		return len(to) == 0 || slices.ContainsFunc(to, func(other string) bool { return resembles(plain, other) && !sameGroup(shortened, w, other) })
	})
}

// likeText returns a replacement with the apostrophes of the text.
func likeText(replacement, text string) string {
	if strings.Contains(text, "’") && !strings.Contains(text, "'") {
		return strings.ReplaceAll(replacement, "'", "’")
	}
	return replacement
}

func (e edit) proto(tokens []token, text string) *gatewayv1.GrammarEdit {
	start, end := 0, 0
	if e.start < len(tokens) {
		start = tokens[e.start].start
	} else if len(tokens) > 0 {
		start = tokens[len(tokens)-1].end
	}
	end = start
	if e.end > e.start {
		end = tokens[e.end-1].end
	}
	return &gatewayv1.GrammarEdit{
		StartOffset: int32(start),
		EndOffset:   int32(end),
		Original:    join(tokens[e.start:e.end]),
		Replacement: likeText(join(e.replacement), text),
		ErrorType:   e.kind,
		Explanation: e.explanation,
	}
}

// compare returns the edits that turn a into b, in the order of the text.
func compare(a, b []token) []edit {
	symbols := map[string]rune{}
	differ := diffmatchpatch.New()
	differ.DiffTimeout = diffLimit
	diffs := differ.DiffMainRunes(encode(a, symbols), encode(b, symbols), false)

	var edits []edit
	var current *edit
	i, j := 0, 0
	for _, d := range diffs {
		n := len([]rune(d.Text))
		if d.Type == diffmatchpatch.DiffEqual {
			current = nil
			i, j = i+n, j+n
			continue
		}
		if current == nil {
			edits = append(edits, edit{start: i, end: i})
			current = &edits[len(edits)-1]
		}
		if d.Type == diffmatchpatch.DiffDelete {
			i += n
			current.end = i
		} else {
			current.replacement = append(slices.Clone(current.replacement), b[j:j+n]...)
			j += n
		}
	}
	var refined []edit
	for _, e := range edits {
		refined = append(refined, split(e, a)...)
	}
	for n := range refined {
		limit := len(a)
		if n+1 < len(refined) {
			limit = refined[n+1].start
		}
		refined[n] = slide(refined[n], a, limit)
	}
	return refined
}

// encode maps every distinct token to one code point, so that a diff of characters
// compares tokens.
func encode(tokens []token, symbols map[string]rune) []rune {
	out := make([]rune, len(tokens))
	for i, t := range tokens {
		r, ok := symbols[t.key]
		if !ok {
			r = rune(len(symbols) + 1)
			if r >= surrogates {
				r += surrogateCount
			}
			symbols[t.key] = r
		}
		out[i] = r
	}
	return out
}

// split divides an edit that changes one word and inserts or deletes others, such
// as "goes" → "go to" and "depends of" → "depend", so that each mistake is one
// edit.
func split(e edit, a []token) []edit {
	original := a[e.start:e.end]
	switch {
	case len(original) == 1 && original[0].word && len(e.replacement) > 1:
		last := len(e.replacement) - 1
		if alike(original[0], e.replacement[0]) {
			return []edit{
				{start: e.start, end: e.end, replacement: e.replacement[:1]},
				{start: e.end, end: e.end, replacement: e.replacement[1:]},
			}
		}
		if alike(original[0], e.replacement[last]) {
			return []edit{
				{start: e.start, end: e.start, replacement: e.replacement[:last]},
				{start: e.start, end: e.end, replacement: e.replacement[last:]},
			}
		}
	case len(e.replacement) == 1 && e.replacement[0].word && len(original) > 1:
		if alike(original[0], e.replacement[0]) {
			return []edit{
				{start: e.start, end: e.start + 1, replacement: e.replacement},
				{start: e.start + 1, end: e.end},
			}
		}
		if alike(original[len(original)-1], e.replacement[0]) {
			return []edit{
				{start: e.start, end: e.end - 1},
				{start: e.end - 1, end: e.end, replacement: e.replacement},
			}
		}
	}
	return []edit{e}
}

func alike(a, b token) bool {
	if !a.word || !b.word || len(a.key) > maxWordBytes || len(b.key) > maxWordBytes {
		return false
	}
	if strings.Trim(a.key+b.key, "0123456789") == "" {
		return a.key == b.key // "1000" and the "000" of "1,000"
	}
	return levenshtein.Similarity(a.key, b.key, nil) >= similarWords || sameVerb(a.key, b.key)
}

// slide turns an inserted or deleted " word" into "word " before the next word,
// which is easier to read, if the resulting text is the same.
func slide(e edit, a []token, limit int) edit {
	if e.end >= limit || !a[e.end].space {
		return e
	}
	next := a[e.end]
	switch {
	case e.insertion() && e.replacement[0].space && e.replacement[0].key == next.key:
		e.replacement = append(slices.Clone(e.replacement[1:]), e.replacement[0])
		// The inserted space now comes after the word; the original's comes
		// before it.
		e.start, e.end = e.start+1, e.end+1
	case e.deletion() && a[e.start].space && a[e.start].key == next.key && a[e.start].text == next.text:
		e.start, e.end = e.start+1, e.end+1
	}
	return e
}

// maxMoveGap is the maximum number of tokens between the two ends of a move.
const maxMoveGap = 12

// mergeMoves turns a deletion and a nearby insertion of the same words into one
// edit of the type word order.
func mergeMoves(edits []edit, a []token) []edit {
	var out []edit
	for i := 0; i < len(edits); i++ {
		if i+1 == len(edits) || !isMove(edits[i], edits[i+1], a) {
			out = append(out, edits[i])
			continue
		}
		first, second := edits[i], edits[i+1]
		moved := edit{start: first.start, end: second.end, kind: gatewayv1.GrammarErrorType_GRAMMAR_ERROR_TYPE_WORD_ORDER}
		moved.replacement = slices.Concat(first.replacement, a[first.end:second.start], second.replacement)
		out = append(out, trim(moved, a))
		i++
	}
	return out
}

func isMove(first, second edit, a []token) bool {
	if second.start-first.end > maxMoveGap {
		return false
	}
	switch {
	case first.deletion() && second.insertion():
		return sameWords(a[first.start:first.end], second.replacement)
	case first.insertion() && second.deletion():
		return sameWords(first.replacement, a[second.start:second.end])
	}
	return false
}

func sameWords(a, b []token) bool {
	wa, wb := words(a), words(b)
	return len(wa) > 0 && slices.Equal(wa, wb)
}

// trim drops equal tokens at both ends of an edit.
func trim(e edit, a []token) edit {
	for e.start < e.end && len(e.replacement) > 0 && a[e.start].key == e.replacement[0].key {
		e.start, e.replacement = e.start+1, e.replacement[1:]
	}
	for e.start < e.end && len(e.replacement) > 0 && a[e.end-1].key == e.replacement[len(e.replacement)-1].key {
		e.end, e.replacement = e.end-1, e.replacement[:len(e.replacement)-1]
	}
	return e
}
