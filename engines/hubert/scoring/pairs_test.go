package scoring

import (
	"math"
	"slices"
	"testing"
)

// TestNeighbours compares words that differ in one sound. If the other word is
// said, the word is mispronounced, else it is right.
func TestNeighbours(t *testing.T) {
	for text, said := range map[string]string{
		"BAT": "CAT", "PEN": "PAN", "RICE": "LICE", "LIGHT": "RIGHT", "THREE": "TREE", "CATS": "CAT", "CAT": "CATS",
		"HE": "SHE", "SHIP": "SHEEP", "WORLD": "WORD", "PRONUNCIATION": "PRONUNCIASHON", "COMFORTABLE": "COMFARTABLE",
	} {
		if r := score(t, text, text); summary(r) != text || r.Words[0].Score < 99 || r.Accuracy < 99 {
			t.Errorf("%s itself is %s with %v", text, summary(r), r.Words[0].Score)
		}
		if r := score(t, text, said); summary(r) != "!"+text || r.Words[0].Score >= mispronounced {
			t.Errorf("%s for %s is %s with %v", said, text, summary(r), r.Words[0].Score)
		}
	}
	r := score(t, "LICE AND RICE", "RICE AND LICE")
	if summary(r) != "!LICE AND !RICE" || r.Accuracy > 60 {
		t.Errorf("RICE AND LICE for LICE AND RICE: %s with %v", summary(r), r.Accuracy)
	}
	if mean := (4*r.Words[0].Score + 3*r.Words[1].Score + 4*r.Words[2].Score) / 11; math.Abs(mean-r.Accuracy) > 1e-9 {
		t.Errorf("the accuracy is %v, not the mean %v", r.Accuracy, mean)
	}
}

// TestWordOfUnits checks the score of a word with given units, and its error type.
func TestWordOfUnits(t *testing.T) {
	for name, c := range map[string]struct {
		units []float64
		extra int
		wrong bool
	}{
		"right":                            {units: many(100, 5)},
		"all fair":                         {units: many(65, 5)},
		"all poor":                         {units: many(55, 5), wrong: true},
		"doubtful in two":                  {units: many(100, 1, 50)},
		"doubtful in three":                {units: many(100, 2, 50)},
		"doubtful in twelve":               {units: many(100, 11, 50)},
		"two doubtful in eight":            {units: many(95, 6, 50, 50)},
		"wrong in three":                   {units: many(100, 2, 0), wrong: true},
		"wrong in twelve":                  {units: many(100, 11, 5), wrong: true},
		"just clearly wrong in a long one": {units: many(100, 29, 19.9), wrong: true},
		"a symbol too much":                {units: many(100, 8), extra: 1, wrong: true},
		"one unit, doubtful":               {units: []float64{50}, wrong: true},
	} {
		it := &item{extra: c.extra}
		for _, v := range c.units {
			it.score.Units = append(it.score.Units, Unit{Score: v})
		}
		(&assessment{}).judgeWord(it)
		w := it.score
		if got := w.Error == Mispronunciation; got != c.wrong || got != (w.Score < mispronounced) {
			t.Errorf("%s: %v with %v", name, w.Error, w.Score)
		}
		if least, most := slices.Min(c.units), slices.Max(c.units); w.Score > most || c.extra == 0 && w.Score < least {
			t.Errorf("%s: %v of units from %v to %v", name, w.Score, least, most)
		}
	}
}

// many returns n units with a score, followed by more.
func many(score float64, n int, more ...float64) []float64 {
	return append(slices.Repeat([]float64{score}, n), more...)
}
