package scoring

import (
	"context"
	"errors"

	"github.com/lexilingo/modelgateway/engines/hubert/ctc"
)

// minInsertion is the least number of symbols that count as a word put in where
// no boundary tells words apart: fewer are a sound too much.
const minInsertion = 3

// maxInsertion is the most symbols of a word put in: what goes on for longer is
// no word of any language, and is taken for several.
const maxInsertion = 40

// reading is one text as it was read.
type reading struct {
	model   Model
	options Options
	words   []Word
	heard   []ctc.Span
	logits  []float32
	p       *ctc.LogProbs
}

// item is a word of the result in the making.
type item struct {
	word   int // of the reference; -1 for an insertion
	said   bool
	labels []int // how it was said, boundaries between its parts included
	at     int   // index of the first of them in the whole target
	extra  int   // symbols that were heard too much inside it
	heard  int   // symbols that were heard for it
	first  int   // frame of what was heard for it; last is the one after
	last   int
	hidden bool // heard, but not worth a report of its own
	score  WordScore
}

// items turns the comparison into what was said.
func (r *reading) items(pieces []piece) []*item {
	var items []*item
	for start := 0; start < len(pieces); {
		end := start + 1
		if r.loose(pieces[start]) {
			for end < len(pieces) && r.loose(pieces[end]) {
				end++
			}
			items = append(items, r.gap(pieces[start:end])...)
		} else {
			items = append(items, r.reference(pieces[start]))
		}
		start = end
	}
	return items
}

// loose tells insertions and words that are not judged.
func (r *reading) loose(p piece) bool {
	return p.word < 0 || len(r.words[p.word].Readings) == 0
}

// gap makes items of what lies between words that are judged. Where a word
// stands that cannot be judged, what was heard is taken for it. All that was
// heard stays in the target, reported or not: left out of it, its sound would be
// taken for that of the words beside it.
func (r *reading) gap(pieces []piece) []*item {
	var unjudged, inserted []*item
	for _, p := range pieces {
		if p.word >= 0 {
			unjudged = append(unjudged, &item{word: p.word, score: WordScore{Text: r.words[p.word].Text, Error: NotJudged}})
			continue
		}
		for from := p.from; from < p.to; from += maxInsertion {
			inserted = append(inserted, r.insertion(from, min(from+maxInsertion, p.to)))
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

func (r *reading) insertion(from, to int) *item {
	heard := r.heard[from:to]
	it := &item{word: -1, said: true, heard: len(heard), score: WordScore{Error: Insertion}}
	for _, s := range heard {
		it.labels = append(it.labels, s.Symbol)
	}
	it.hidden = r.model.Boundary < 0 && len(heard) < minInsertion
	it.hears(heard)
	return it
}

// reference makes the item of a word that is judged.
func (r *reading) reference(p piece) *item {
	it := &item{word: p.word, said: p.said, score: WordScore{Text: r.words[p.word].Text, Error: Omission}}
	if !p.said {
		return it
	}
	it.labels = r.words[p.word].Readings[p.reading]
	it.hears(r.heard[p.from:p.to])
	for _, s := range r.heard[p.from:p.to] {
		if s.Symbol != r.model.Boundary {
			it.heard++
		}
	}
	it.extra = max(0, it.heard-length(it.labels, r.model.Boundary))
	return it
}

// target puts together what was said, with boundaries between the words.
func (r *reading) target(items []*item) []int {
	var labels []int
	for _, it := range items {
		if !it.said {
			continue
		}
		if len(labels) > 0 && r.model.Boundary >= 0 {
			labels = append(labels, r.model.Boundary)
		}
		it.at = len(labels)
		labels = append(labels, it.labels...)
	}
	return labels
}

// settle weighs the comparison's findings against the sound, of which it saw only
// the likeliest symbols: words that the sound has after all are put back,
// insertions that it does not need are dropped. It returns the lattice of what
// was said.
func (r *reading) settle(ctx context.Context, items []*item) (*ctc.Lattice, error) {
	for ctc.Needed(r.target(items)) > r.p.Frames() {
		drop(items)
	}
	lattice, err := ctc.NewLattice(ctx, r.p, r.target(items), r.model.Blank)
	if err != nil {
		return nil, err
	}
	refuted := r.refuted(items, lattice)
	revived, err := r.revived(ctx, items, lattice)
	if err != nil {
		return nil, err
	}
	if len(refuted) == 0 && len(revived) == 0 {
		return lattice, nil
	}
	for _, it := range refuted {
		it.said = false
	}
	for it, labels := range revived {
		it.said, it.labels = true, labels
	}
	before := lattice.LogProb()
	err = lattice.Reset(ctx, r.target(items))
	var short *ctc.TooShortError
	switch {
	case err == nil && lattice.LogProb() >= before:
		return lattice, nil
	case err != nil && !errors.As(err, &short):
		return nil, err
	}
	// Each was better by itself, all together are not.
	for _, it := range refuted {
		it.said = true
	}
	for it := range revived {
		it.said, it.labels = false, nil
	}
	return lattice, lattice.Reset(ctx, r.target(items))
}

// drop takes out what the sound has the least room for.
func drop(items []*item) {
	var worst *item
	for _, it := range items {
		if it.said && (worst == nil || len(it.labels)-it.heard > len(worst.labels)-worst.heard) {
			worst = it
		}
	}
	worst.said, worst.labels = false, nil
}

// refuted returns the insertions without which the sound is likelier.
func (r *reading) refuted(items []*item, l *ctc.Lattice) []*item {
	var out []*item
	for _, it := range items {
		if it.word >= 0 || !it.said {
			continue
		}
		from, to := it.at, it.at+len(it.labels)
		switch {
		case r.model.Boundary < 0:
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

// revived returns the omitted words with which the sound is likelier, and how
// they are said.
func (r *reading) revived(ctx context.Context, items []*item, l *ctc.Lattice) (map[*item][]int, error) {
	out := map[*item][]int{}
	end := 0 // of the target before the word
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
		for _, labels := range r.words[it.word].Readings {
			if v := l.Replace(end, end, r.spliced(labels, end, len(l.Labels()))); v > best {
				best, out[it] = v, labels
			}
		}
	}
	return out, nil
}

// spliced adds the boundary that a word needs in the midst of a target.
func (r *reading) spliced(labels []int, at, of int) []int {
	switch {
	case r.model.Boundary < 0 || of == 0:
		return labels
	case at > 0:
		return append([]int{r.model.Boundary}, labels...)
	default:
		return append(append([]int(nil), labels...), r.model.Boundary)
	}
}
