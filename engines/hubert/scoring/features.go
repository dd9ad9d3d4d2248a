package scoring

import (
	"fmt"
	"math"

	"github.com/lexilingo/modelgateway/engines/hubert/calibration"
	"github.com/lexilingo/modelgateway/engines/hubert/ctc"
)

// ratingMargin is the time on either side of a unit in which its rating counts: CTC
// models have narrow peaks, and a sound is longer than its peak.
const ratingMargin = 0.04

// leastGop is the goodness below which a difference means nothing.
const leastGop = -50

// checkRatings returns an error if ratings are no rows of numbers, one for each frame.
func checkRatings(o Outputs) error {
	if o.Ratings == nil {
		return nil
	}
	if frames := len(o.Logits) / o.Symbols; len(o.Ratings) != frames*(o.Symbols+1) {
		return fmt.Errorf("%d ratings are not a row of %d for each of %d frames", len(o.Ratings), o.Symbols+1, frames)
	}
	for i, x := range o.Ratings {
		if v := float64(x); math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("a rating in frame %d is %v", i/(o.Symbols+1), x)
		}
	}
	return nil
}

// slice returns the outputs of the frames [from, to).
func (o Outputs) slice(from, to int) Outputs {
	out := Outputs{Logits: o.Logits[from*o.Symbols : to*o.Symbols], Symbols: o.Symbols}
	if o.Ratings != nil {
		out.Ratings = o.Ratings[from*(o.Symbols+1) : to*(o.Symbols+1)]
	}
	return out
}

// Append adds the frames [from, to) of outputs of the same model.
func (o *Outputs) Append(more Outputs, from, to int) {
	more = more.slice(from, to)
	o.Logits = append(o.Logits, more.Logits...)
	o.Ratings = append(o.Ratings, more.Ratings...)
}

// rating returns the mean of a column of the ratings over the frames [from, to).
func (o Outputs) rating(from, to, column int) float64 {
	var sum float64
	for t := from; t < to; t++ {
		sum += float64(o.Ratings[t*(o.Symbols+1)+column])
	}
	return sum / float64(max(1, to-from))
}

func (a *assessment) unitFeatures(s ctc.Span, g ctc.Goodness) calibration.Features {
	f := calibration.Features{calibration.Gop: max(leastGop, min(0, g.Value))}
	if a.outputs.Ratings != nil {
		margin := int(math.Round(ratingMargin / a.model.FrameSeconds))
		from, to := max(0, s.Start-margin), min(a.p.Frames(), s.End+margin)
		f[calibration.Rating] = a.outputs.rating(from, to, s.Symbol)
	}
	return f
}

// wordFeatures are computed from the scores of the units of a word, in which extra
// further symbols were heard.
func wordFeatures(units []Unit, extra int) calibration.Features {
	sum, worst := 0.0, 100.0
	for _, u := range units {
		sum += u.Score
		worst = min(worst, u.Score)
	}
	return calibration.Features{
		calibration.Mean:  sum / 100 / float64(len(units)),
		calibration.Worst: worst / 100,
		calibration.Extra: float64(extra) / float64(len(units)+extra),
	}
}
