package scoring

import (
	"context"
	"math"
	"slices"

	"github.com/lexilingo/modelgateway/engines/hubert/calibration"
	"github.com/lexilingo/modelgateway/engines/hubert/ctc"
)

// judge sets the times and scores of units and words.
func (a *assessment) judge(ctx context.Context, items []*item, l *ctc.Lattice) error {
	path, err := ctc.ForcedAlign(a.p, l.Labels(), a.model.Blank)
	if err != nil {
		return err
	}
	spans := ctc.MergeTokens(a.p, path, a.model.Blank)
	goodness, err := a.goodness(ctx, l, spans)
	if err != nil {
		return err
	}
	for _, it := range items {
		if !it.said {
			continue
		}
		it.score.Start, it.score.End = spans[it.at].Start, spans[it.at+len(it.labels)-1].End
		for i := it.at; i < it.at+len(it.labels); i++ {
			if l.Labels()[i] != a.model.Boundary {
				it.score.Units = append(it.score.Units, a.unit(spans[i], goodness[i]))
			}
		}
		a.judgeWord(it)
	}
	return nil
}

func (a *assessment) goodness(ctx context.Context, l *ctc.Lattice, spans []ctc.Span) ([]ctc.Goodness, error) {
	switch a.options.Measure {
	case SelfAligned:
		return ctc.SelfAligned(a.p, spans, a.model.Blank), nil
	case MaxLogit:
		return ctc.MaxLogit(a.p, a.outputs.Logits, spans, a.model.Blank), nil
	default:
		return ctc.AlignmentFree(ctx, l)
	}
}

func (a *assessment) unit(s ctc.Span, g ctc.Goodness) Unit {
	heard := g.Heard
	if heard == a.model.Boundary {
		heard = ctc.Deletion
	}
	u := Unit{Symbol: s.Symbol, Start: s.Start, End: s.End, Heard: heard, Features: a.unitFeatures(s, g)}
	u.Score = 100 * math.Exp(min(0, g.Value)/a.options.Scale)
	if f := a.options.Calibration.Unit; f != nil {
		u.Score = f.Score(u.Features)
	}
	return u
}

// worstShare is the weight of a word's worst unit in its score; the rest is the
// weight of the mean of all units. With a half, a unit with less than 20 makes any
// word mispronounced, and a unit with 50 makes no word of two or more units
// mispronounced if the others are right.
const worstShare = 0.5

// judgeWord computes the score of a word from its worst unit and the mean of all,
// where each extra symbol is a unit with score 0. With the mean alone, a word with
// one wrong sound of three would be good, although other words of the language are
// often as close. Units are not weighted by their length: a unit that was not said
// has only one frame, so it would hardly count.
func (a *assessment) judgeWord(it *item) {
	w := &it.score
	if it.word < 0 {
		// An inserted word has no expected sound.
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
	w.Features = wordFeatures(w.Units, it.extra)
	w.Score = worstShare*worst + (1-worstShare)*mean
	if f := a.options.Calibration.Word; f != nil {
		w.Score = f.Score(w.Features)
	}
	w.Error = Good
	if w.Score < mispronounced {
		w.Error = Mispronunciation
	}
}

// result computes the result from the items.
func (a *assessment) result(items []*item) *Result {
	out := &Result{}
	var sum, weight float64
	said, judged, worst := 0, 0, 100.0
	for _, it := range items {
		if it.hidden || it.word < 0 && !it.said {
			continue
		}
		out.Words = append(out.Words, it.score)
		if it.word < 0 || it.score.Error == NotJudged {
			continue
		}
		judged++
		worst = min(worst, it.score.Score)
		size := float64(length(a.words[it.word].Readings[0], a.model.Boundary))
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
		out.Fluency = a.fluency(items)
		out.Overall = overall(out.Accuracy, out.Fluency, out.Completeness)
		a.calibrate(out, items, worst)
	}
	return out
}

// calibrate replaces the scores of a text for which the model has a formula. worst is
// the least score of a word.
func (a *assessment) calibrate(out *Result, items []*item, worst float64) {
	c := a.options.Calibration
	out.Features = map[string]calibration.Features{}
	set := func(name string, score *float64, f *calibration.Formula, features calibration.Features) {
		out.Features[name] = features
		if f != nil {
			*score = f.Score(features)
		}
	}
	set(calibration.Accuracy, &out.Accuracy, c.Accuracy, calibration.Features{
		calibration.Mean: out.Accuracy / 100, calibration.Worst: worst / 100,
	})
	set(calibration.Fluency, &out.Fluency, c.Fluency, a.fluencyFeatures(items, out.Fluency))
	set("overall", &out.Overall, c.Overall, calibration.Features{
		calibration.Accuracy: out.Accuracy / 100, calibration.Fluency: out.Fluency / 100,
		calibration.Completeness: out.Completeness / 100,
		calibration.Lowest:       min(out.Accuracy, out.Fluency, out.Completeness) / 100,
	})
}

// fluencyFeatures returns the features of a text of which something was said.
func (a *assessment) fluencyFeatures(items []*item, pace float64) calibration.Features {
	f := calibration.Features{calibration.Pace: pace / 100}
	if a.outputs.Ratings == nil {
		return f
	}
	first, last := a.p.Frames(), 0
	for _, it := range items {
		if it.score.End > 0 && !it.hidden {
			first, last = min(first, it.score.Start), max(last, it.score.End)
		}
	}
	f[calibration.Rating] = a.outputs.rating(first, last, a.outputs.Symbols)
	return f
}

// omissionsFirst moves omitted words before the words that were inserted at the
// same place.
func omissionsFirst(words []WordScore) {
	for i := range words {
		for j := i; j > 0 && words[j].Error == Omission && words[j-1].Error == Insertion; j-- {
			words[j], words[j-1] = words[j-1], words[j]
		}
	}
}

// overall returns a weighted mean. The lowest score has the largest weight.
func overall(scores ...float64) float64 {
	slices.Sort(scores)
	return 0.6*scores[0] + 0.2*scores[1] + 0.2*scores[2]
}

// Pauses and rates of fluent reading. docs/pronunciation.md has their sources.
const (
	shortPause     = 0.3 // seconds between words that do not count as a pause
	sentencePause  = 1.0 // seconds of an allowed pause at punctuation
	slowestLetters = 8.0 // per second, without pauses
	fastestLetters = 20.0
	phonemesLetter = 0.85 // phonemes per letter of English
)

// fewUnits is the number of units below which the rate is not computed.
const fewUnits = 5

// fluency returns the fraction of the time without long pauses and inserted words,
// reduced if the rate is outside the range of fluent readers.
func (a *assessment) fluency(items []*item) float64 {
	var lost, paused, allowed float64 // seconds
	units, first, last, previous := 0, -1, 0, 0
	for _, it := range items {
		if it.score.End == 0 || it.hidden { // not said
			continue
		}
		if first < 0 {
			first = it.score.Start
		} else {
			gap := a.seconds(previous, it.score.Start)
			lost += max(0, gap-allowed)
			paused += max(0, gap-shortPause)
		}
		previous, last, allowed = it.score.End, it.score.Start, shortPause
		if it.word < 0 {
			lost += a.seconds(it.score.Start, it.score.End)
			paused += a.seconds(it.score.Start, it.score.End)
			continue
		}
		if n := len(it.score.Units); n > 0 {
			units += n
			last = it.score.Units[n-1].Start
		}
		if a.words[it.word].Pause {
			allowed = sentencePause
		}
	}
	steady := max(0, 1-lost/a.seconds(first, previous))
	if units < fewUnits {
		return 100 * steady
	}
	slowest, fastest := slowestLetters, fastestLetters
	if a.model.Phonemes {
		slowest, fastest = slowest*phonemesLetter, fastest*phonemesLetter
	}
	// The time is from the start of the first unit to the start of the last one,
	// because the frames do not show the length of the last unit.
	rate := float64(units-1) / max(a.seconds(first, last)-paused, a.model.FrameSeconds)
	return 100 * steady * min(1, rate/slowest, fastest/rate)
}

func (a *assessment) seconds(from, to int) float64 { return float64(to-from) * a.model.FrameSeconds }
