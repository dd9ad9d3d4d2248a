package scoring

import (
	"context"
	"math"
	"slices"

	"github.com/lexilingo/modelgateway/engines/hubert/ctc"
)

// judge gives units and words their times and scores.
func (r *reading) judge(ctx context.Context, items []*item, l *ctc.Lattice) error {
	path, err := ctc.ForcedAlign(r.p, l.Labels(), r.model.Blank)
	if err != nil {
		return err
	}
	spans := ctc.MergeTokens(r.p, path, r.model.Blank)
	goodness, err := r.goodness(ctx, l, spans)
	if err != nil {
		return err
	}
	for _, it := range items {
		if !it.said {
			continue
		}
		it.score.Start, it.score.End = spans[it.at].Start, spans[it.at+len(it.labels)-1].End
		for i := it.at; i < it.at+len(it.labels); i++ {
			if l.Labels()[i] != r.model.Boundary {
				it.score.Units = append(it.score.Units, r.unit(spans[i], goodness[i]))
			}
		}
		r.judgeWord(it)
	}
	return nil
}

func (r *reading) goodness(ctx context.Context, l *ctc.Lattice, spans []ctc.Span) ([]ctc.Goodness, error) {
	switch r.options.Measure {
	case SelfAligned:
		return ctc.SelfAligned(r.p, spans, r.model.Blank), nil
	case MaxLogit:
		return ctc.MaxLogit(r.p, r.logits, spans, r.model.Blank), nil
	default:
		return ctc.AlignmentFree(ctx, l)
	}
}

func (r *reading) unit(s ctc.Span, g ctc.Goodness) Unit {
	heard := g.Heard
	if heard == r.model.Boundary {
		heard = ctc.Deletion
	}
	score := 100 * math.Exp(min(0, g.Value)/r.options.Scale)
	return Unit{Symbol: s.Symbol, Score: score, Start: s.Start, End: s.End, Heard: heard}
}

// worstShare is what the worst unit of a word weighs, the mean of all the rest:
// with a half, a unit below 20 takes any word below mispronounced, and one of 50
// does so to no word of two units and more that is right otherwise.
const worstShare = 0.5

// judgeWord sums a word up: its worst unit and the mean of all, where each symbol
// too much is a unit with nothing. By the mean alone, one wrong sound of three
// would leave a good word, and another word of the language is often no further
// away. Units have no weights by their length: what was not said is squeezed
// into a frame, and would hardly count.
func (r *reading) judgeWord(it *item) {
	w := &it.score
	if it.word < 0 {
		// There is nothing that an inserted word should have sounded like.
		for i := range w.Units {
			w.Units[i].Score, w.Units[i].Heard = 0, w.Units[i].Symbol
		}
		return
	}
	sum, worst := 0.0, 100.0
	for _, u := range w.Units {
		sum += u.Score
		worst = min(worst, u.Score)
	}
	if it.extra > 0 {
		worst = 0
	}
	mean := sum / float64(len(w.Units)+it.extra)
	w.Score = worstShare*worst + (1-worstShare)*mean
	w.Error = Good
	if w.Score < mispronounced {
		w.Error = Mispronunciation
	}
}

// result sums everything up.
func (r *reading) result(items []*item) *Result {
	out := &Result{}
	var sum, weight float64
	said, judged := 0, 0
	for _, it := range items {
		if it.hidden || it.word < 0 && !it.said {
			continue
		}
		out.Words = append(out.Words, it.score)
		if it.word < 0 || it.score.Error == NotJudged {
			continue
		}
		judged++
		size := float64(length(r.words[it.word].Readings[0], r.model.Boundary))
		if it.said {
			said++
			size = float64(len(it.score.Units))
			sum += it.score.Score * size
		}
		weight += size
	}
	if judged > 0 {
		out.Accuracy = sum / weight
		out.Completeness = 100 * float64(said) / float64(judged)
	}
	omissionsFirst(out.Words)
	if said > 0 {
		out.Fluency = r.fluency(items)
	}
	out.Overall = overall(out.Accuracy, out.Fluency, out.Completeness)
	return out
}

// omissionsFirst puts words that were left out before those that were put in at
// the same place.
func omissionsFirst(words []WordScore) {
	for i := range words {
		for j := i; j > 0 && words[j].Error == Omission && words[j-1].Error == Insertion; j-- {
			words[j], words[j-1] = words[j-1], words[j]
		}
	}
}

// overall weighs the lowest of the scores most.
func overall(scores ...float64) float64 {
	slices.Sort(scores)
	return 0.6*scores[0] + 0.2*scores[1] + 0.2*scores[2]
}

// Pauses and rates of fluent reading; docs/pronunciation.md says where they come
// from.
const (
	shortPause     = 0.3 // seconds between words that are no pause
	sentencePause  = 1.0 // seconds that a reader may pause at punctuation
	slowestLetters = 8.0 // a second, while words are said
	fastestLetters = 20.0
	phonemesLetter = 0.85 // phonemes for a letter of English
)

// fewUnits are too few to tell a pace from.
const fewUnits = 5

// fluency is how steady the pace is: the share of the time that was neither
// paused too long nor spent on inserted words, lowered where the rate is outside
// of what fluent readers have.
func (r *reading) fluency(items []*item) float64 {
	var lost, paused, allowed float64 // seconds
	units, first, last, previous := 0, -1, 0, 0
	for _, it := range items {
		if it.score.End == 0 || it.hidden { // not said
			continue
		}
		if first < 0 {
			first = it.score.Start
		} else {
			gap := r.seconds(previous, it.score.Start)
			lost += max(0, gap-allowed)
			paused += max(0, gap-shortPause)
		}
		previous, last, allowed = it.score.End, it.score.Start, shortPause
		if it.word < 0 {
			lost += r.seconds(it.score.Start, it.score.End)
			paused += r.seconds(it.score.Start, it.score.End)
			continue
		}
		if n := len(it.score.Units); n > 0 {
			units += n
			last = it.score.Units[n-1].Start
		}
		if r.words[it.word].Pause {
			allowed = sentencePause
		}
	}
	steady := max(0, 1-lost/r.seconds(first, previous))
	if units < fewUnits {
		return 100 * steady
	}
	slowest, fastest := slowestLetters, fastestLetters
	if r.model.Phonemes {
		slowest, fastest = slowest*phonemesLetter, fastest*phonemesLetter
	}
	// From the first beginning to the last one: of the last unit's own length, the
	// frames tell little.
	rate := float64(units-1) / max(r.seconds(first, last)-paused, r.model.FrameSeconds)
	return 100 * steady * min(1, rate/slowest, fastest/rate)
}

func (r *reading) seconds(from, to int) float64 { return float64(to-from) * r.model.FrameSeconds }
