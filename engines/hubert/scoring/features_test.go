package scoring

import (
	"math"
	"testing"

	"github.com/lexilingo/modelgateway/engines/hubert/calibration"
)

// rated returns the outputs of a text whose ratings are the logits; the fluency is 3.
func rated(said string) Outputs {
	o := Outputs{Logits: speak(said), Symbols: len(alphabet)}
	for t := 0; t < len(o.Logits); t += o.Symbols {
		o.Ratings = append(append(o.Ratings, o.Logits[t:t+o.Symbols]...), 3)
	}
	return o
}

func TestFeatures(t *testing.T) {
	r, err := Score(t.Context(), model(), options(), words("THE CAT SAT ON"), rated("THE CUT SAT"))
	if err != nil {
		t.Fatal(err)
	}
	if summary(r) != "THE !CAT SAT -ON" {
		t.Fatalf("got %s", summary(r))
	}
	// A letter has one loud frame of 12, and its rating counts in two frames on either side of it.
	units := r.Words[1].Units
	for i, want := range []float64{12.0 / 5, 0, 12.0 / 5} {
		if got := units[i].Features[calibration.Rating]; math.Abs(got-want) > 1e-6 {
			t.Errorf("unit %d is rated %v, want %v", i, got, want)
		}
	}
	if good, bad := units[0].Features[calibration.Gop], units[1].Features[calibration.Gop]; good < -0.1 || good > 0 || bad > -5 || bad < leastGop {
		t.Errorf("the goodness is %v and %v", good, bad)
	}
	word := r.Words[1].Features
	if got := word[calibration.Mean] * 300; math.Abs(got-units[0].Score-units[1].Score-units[2].Score) > 1e-6 || word[calibration.Extra] != 0 {
		t.Errorf("the word's features are %v", word)
	}
	if r.Words[3].Features != nil {
		t.Errorf("the omitted word has the features %v", r.Words[3].Features)
	}
	if got := r.Features[calibration.Fluency]; math.Abs(got[calibration.Rating]-3) > 1e-6 || math.Abs(got[calibration.Pace]*100-r.Fluency) > 1e-6 {
		t.Errorf("the fluency's features are %v", got)
	}
	if got := r.Features[calibration.Accuracy]; got[calibration.Worst] != 0 || math.Abs(got[calibration.Mean]*100-r.Accuracy) > 1e-6 {
		t.Errorf("the accuracy's features are %v", got)
	}
}

func TestBadRatings(t *testing.T) {
	short, nan := rated("THE"), rated("THE")
	short.Ratings = short.Ratings[1:]
	nan.Ratings[40] = float32(math.NaN())
	for name, o := range map[string]Outputs{"a number is missing": short, "not a number": nan} {
		if _, err := Score(t.Context(), model(), options(), words("THE"), o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestLongAudioKeepsItsRatings compares a text that is judged in parts with the same
// text alone.
func TestLongAudioKeepsItsRatings(t *testing.T) {
	one, err := Score(t.Context(), model(), options(), words("THE CAT"), rated("THE CAT"))
	if err != nil {
		t.Fatal(err)
	}
	pause := ""
	for range 100 {
		pause += "_"
	}
	two, err := Score(t.Context(), model(), options(), words("THE CAT THE CAT"), rated("THE CAT "+pause+"THE CAT"))
	if err != nil {
		t.Fatal(err)
	}
	for i, w := range two.Words {
		// The middle one: others are at an end of the audio in one of the two texts.
		want, got := one.Words[i%2].Units[1].Features[calibration.Rating], w.Units[1].Features[calibration.Rating]
		if math.Abs(got-want) > 1e-6 {
			t.Errorf("word %d is rated %v, and %v alone", i, got, want)
		}
	}
}
