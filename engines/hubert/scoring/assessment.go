package scoring

import (
	"context"
	"errors"

	"github.com/lexilingo/modelgateway/engines/hubert/ctc"
)

// minInsertion is the least number of symbols of an inserted word for models
// without boundaries: fewer count as extra sounds of a neighbouring word.
const minInsertion = 3

// maxInsertion is the largest number of symbols of an inserted word. More symbols
// are divided into several words.
const maxInsertion = 40

// assessment is the work on one text and the audio of it.
type assessment struct {
	model   Model
	options Options
	words   []Word
	heard   []ctc.Span
	outputs Outputs
	p       *ctc.LogProbs
}

// item is a word of the result.
type item struct {
	word   int // index in the reference; -1 for an insertion
	said   bool
	labels []int // what was said, with the boundaries between its parts
	at     int   // index of the first label in the target
	extra  int   // number of extra symbols that were heard inside it
	heard  int   // number of symbols that were heard for it
	first  int   // first frame of what was heard for it; last is the one after
	last   int
	hidden bool // heard, but not reported
	score  WordScore
}

// items converts the pieces of the comparison to items.
func (a *assessment) items(pieces []piece) []*item {
	var items []*item
	for start := 0; start < len(pieces); {
		end := start + 1
		if a.isGap(pieces[start]) {
			for end < len(pieces) && a.isGap(pieces[end]) {
				end++
			}
			items = append(items, a.gap(pieces[start:end])...)
		} else {
			items = append(items, a.reference(pieces[start]))
		}
		start = end
	}
	return items
}

// isGap reports whether a piece is an insertion or a word that is not judged.
func (a *assessment) isGap(p piece) bool {
	return p.word < 0 || len(a.words[p.word].Readings) == 0
}

// gap returns the items between two words that are judged. If there is a word that
// cannot be judged, what was heard counts as that word. Everything that was heard
// stays in the target, reported or not: otherwise its sound would count as part of
// the neighbouring words.
func (a *assessment) gap(pieces []piece) []*item {
	var unjudged, inserted []*item
	for _, p := range pieces {
		if p.word >= 0 {
			unjudged = append(unjudged, &item{word: p.word, score: WordScore{Text: a.words[p.word].Text, Error: NotJudged}})
			continue
		}
		for from := p.from; from < p.to; from += maxInsertion {
			inserted = append(inserted, a.insertion(from, min(from+maxInsertion, p.to)))
		}
	}
	if len(unjudged) > 0 && len(inserted) > 0 {
		unjudged[0].score.Start, unjudged[0].score.End = inserted[0].first, inserted[len(inserted)-1].last
		for _, it := range inserted {
			it.hidden = true
		}
	}
	return append(unjudged, inserted...)
}

func (a *assessment) insertion(from, to int) *item {
	heard := a.heard[from:to]
	it := &item{word: -1, said: true, heard: len(heard), score: WordScore{Error: Insertion}}
	for _, s := range heard {
		it.labels = append(it.labels, s.Symbol)
	}
	it.hidden = a.model.Boundary < 0 && len(heard) < minInsertion
	it.setHeard(heard)
	return it
}

// reference returns the item of a word that is judged.
func (a *assessment) reference(p piece) *item {
	it := &item{word: p.word, said: p.said, score: WordScore{Text: a.words[p.word].Text, Error: Omission}}
	if !p.said {
		return it
	}
	it.labels = a.words[p.word].Readings[p.reading]
	it.setHeard(a.heard[p.from:p.to])
	for _, s := range a.heard[p.from:p.to] {
		if s.Symbol != a.model.Boundary {
			it.heard++
		}
	}
	it.extra = max(0, it.heard-length(it.labels, a.model.Boundary))
	return it
}

// target returns the labels of everything that was said, with boundaries between
// the words.
func (a *assessment) target(items []*item) []int {
	var labels []int
	for _, it := range items {
		if !it.said {
			continue
		}
		if len(labels) > 0 && a.model.Boundary >= 0 {
			labels = append(labels, a.model.Boundary)
		}
		it.at = len(labels)
		labels = append(labels, it.labels...)
	}
	return labels
}

// refine corrects the comparison, which used only the most likely symbol of each
// frame, by the probabilities of all symbols: it restores omitted words that make
// the audio more likely, and drops insertions without which it is more likely. It
// returns the lattice of what was said.
func (a *assessment) refine(ctx context.Context, items []*item) (*ctc.Lattice, error) {
	for ctc.Needed(a.target(items)) > a.p.Frames() {
		dropLongest(items)
	}
	lattice, err := ctc.NewLattice(ctx, a.p, a.target(items), a.model.Blank)
	if err != nil {
		return nil, err
	}
	unneeded := a.unneeded(items, lattice)
	recovered, err := a.recovered(ctx, items, lattice)
	if err != nil {
		return nil, err
	}
	if len(unneeded) == 0 && len(recovered) == 0 {
		return lattice, nil
	}
	for _, it := range unneeded {
		it.said = false
	}
	for it, labels := range recovered {
		it.said, it.labels = true, labels
	}
	before := lattice.LogProb()
	err = lattice.Reset(ctx, a.target(items))
	var short *ctc.TooShortError
	switch {
	case err == nil && lattice.LogProb() >= before:
		return lattice, nil
	case err != nil && !errors.As(err, &short):
		return nil, err
	}
	// Each change alone is better, but all together are not.
	for _, it := range unneeded {
		it.said = true
	}
	for it := range recovered {
		it.said, it.labels = false, nil
	}
	return lattice, lattice.Reset(ctx, a.target(items))
}

// dropLongest drops the item whose labels exceed what was heard by most.
func dropLongest(items []*item) {
	var worst *item
	for _, it := range items {
		if it.said && (worst == nil || len(it.labels)-it.heard > len(worst.labels)-worst.heard) {
			worst = it
		}
	}
	worst.said, worst.labels = false, nil
}

// unneeded returns the insertions without which the audio is more likely.
func (a *assessment) unneeded(items []*item, l *ctc.Lattice) []*item {
	var out []*item
	for _, it := range items {
		if it.word >= 0 || !it.said {
			continue
		}
		from, to := it.at, it.at+len(it.labels)
		switch {
		case a.model.Boundary < 0:
		case from > 0:
			from--
		case to < len(l.Labels()):
			to++
		}
		if l.Replace(from, to, nil) >= l.LogProb() {
			out = append(out, it)
		}
	}
	return out
}

// recovered returns the omitted words with which the audio is more likely, and the
// labels of each.
func (a *assessment) recovered(ctx context.Context, items []*item, l *ctc.Lattice) (map[*item][]int, error) {
	out := map[*item][]int{}
	end := 0 // end of the target before the word
	for _, it := range items {
		if it.said {
			end = it.at + len(it.labels)
			continue
		}
		if it.score.Error != Omission {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		best := l.LogProb()
		for _, labels := range a.words[it.word].Readings {
			if v := l.Replace(end, end, a.withBoundary(labels, end, len(l.Labels()))); v > best {
				best, out[it] = v, labels
			}
		}
	}
	return out, nil
}

// withBoundary adds the boundary that a word needs inside a target.
func (a *assessment) withBoundary(labels []int, at, of int) []int {
	switch {
	case a.model.Boundary < 0 || of == 0:
		return labels
	case at > 0:
		return append([]int{a.model.Boundary}, labels...)
	default:
		return append(append([]int(nil), labels...), a.model.Boundary)
	}
}
