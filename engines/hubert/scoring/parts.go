package scoring

import (
	"context"

	"github.com/lexilingo/modelgateway/engines/hubert/ctc"
)

// Long audio is judged in parts, because the memory and time of a lattice grow with
// the product of frames and symbols. A part ends between two words: after
// partSeconds at a gap, and after longestSeconds anywhere. It includes
// marginSeconds of audio before its first and after its last word.
const (
	partSeconds    = 10.0
	longestSeconds = 20.0
	gapSeconds     = 0.2
	marginSeconds  = 2.0
)

// part is a part of the audio with its words.
type part struct {
	items    []*item
	from, to int
}

// parts divides the audio into parts that can be judged separately.
func (a *assessment) parts(items []*item) []part {
	var out []part
	current := part{}
	start := 0 // index of the first item of the current part
	var first, last *item
	end := func(next, to int) {
		current.items, current.to = items[start:next], to
		if first != nil {
			margin := int(marginSeconds / a.model.FrameSeconds)
			current.from, current.to = max(current.from, first.first-margin), min(current.to, last.last+margin)
		}
		out = append(out, current)
		start, current = next, part{from: to}
	}
	for i, it := range items {
		if !it.said {
			continue
		}
		if last != nil && a.ends(first, last, it) {
			end(i, (last.last+it.first)/2)
			first = nil
		}
		if first == nil {
			first = it
		}
		last = it
	}
	end(len(items), a.p.Frames())
	return out
}

// ends reports whether a part from first to last can end before next.
func (a *assessment) ends(first, last, next *item) bool {
	long := a.seconds(first.first, last.last)
	return long >= longestSeconds || long >= partSeconds && a.seconds(last.last, next.first) >= gapSeconds ||
		a.seconds(last.last, next.first) >= 2*marginSeconds
}

// judgePart sets the times and scores of the words in a part.
func (a *assessment) judgePart(ctx context.Context, p part) error {
	sub := *a
	sub.p = a.p.Slice(p.from, p.to)
	sub.outputs = a.outputs.slice(p.from, p.to)
	lattice, err := sub.refine(ctx, p.items)
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

// shift adds a number of frames to the times of a word.
func (w *WordScore) shift(frames int) {
	w.Start, w.End = w.Start+frames, w.End+frames
	for i := range w.Units {
		w.Units[i].Start += frames
		w.Units[i].End += frames
	}
}

// setHeard records the frames of what was heard for an item.
func (it *item) setHeard(spans []ctc.Span) {
	if len(spans) > 0 {
		it.first, it.last = spans[0].Start, spans[len(spans)-1].End
	}
}
