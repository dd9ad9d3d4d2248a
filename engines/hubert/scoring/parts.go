package scoring

import (
	"context"

	"github.com/lexilingo/modelgateway/engines/hubert/ctc"
)

// Long readings are judged in parts: a lattice takes memory and time by the
// product of frames and symbols. A part ends between two words, from partSeconds
// on at a gap, and from longestSeconds on anywhere. Around what was said, a part
// has marginSeconds of what else there is.
const (
	partSeconds    = 10.0
	longestSeconds = 20.0
	gapSeconds     = 0.2
	marginSeconds  = 2.0
)

// part is a stretch of the reading: the words in it and its frames.
type part struct {
	items    []*item
	from, to int
}

// parts cuts the reading into pieces that can be judged by themselves.
func (r *reading) parts(items []*item) []part {
	var out []part
	current := part{}
	start := 0 // index of the current part's first item
	var first, last *item
	end := func(next, to int) {
		current.items, current.to = items[start:next], to
		if first != nil {
			margin := int(marginSeconds / r.model.FrameSeconds)
			current.from, current.to = max(current.from, first.first-margin), min(current.to, last.last+margin)
		}
		out = append(out, current)
		start, current = next, part{from: to}
	}
	for i, it := range items {
		if !it.said {
			continue
		}
		if last != nil && r.ends(first, last, it) {
			end(i, (last.last+it.first)/2)
			first = nil
		}
		if first == nil {
			first = it
		}
		last = it
	}
	end(len(items), r.p.Frames())
	return out
}

// ends tells whether a part that goes from first to last can end before next.
func (r *reading) ends(first, last, next *item) bool {
	long := r.seconds(first.first, last.last)
	return long >= longestSeconds || long >= partSeconds && r.seconds(last.last, next.first) >= gapSeconds ||
		r.seconds(last.last, next.first) >= 2*marginSeconds
}

// judgePart gives the words of a part their times and scores.
func (r *reading) judgePart(ctx context.Context, p part) error {
	sub := *r
	sub.p = r.p.Slice(p.from, p.to)
	sub.logits = r.logits[p.from*r.p.Symbols() : p.to*r.p.Symbols()]
	lattice, err := sub.settle(ctx, p.items)
	if err != nil {
		return err
	}
	if err := sub.judge(ctx, p.items, lattice); err != nil {
		return err
	}
	for _, it := range p.items {
		if it.said {
			it.score.shift(p.from)
		}
	}
	return nil
}

// shift moves a word in time.
func (w *WordScore) shift(frames int) {
	w.Start, w.End = w.Start+frames, w.End+frames
	for i := range w.Units {
		w.Units[i].Start += frames
		w.Units[i].End += frames
	}
}

// hears notes what was heard for an item.
func (it *item) hears(spans []ctc.Span) {
	if len(spans) > 0 {
		it.first, it.last = spans[0].Start, spans[len(spans)-1].End
	}
}
