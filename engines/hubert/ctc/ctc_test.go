package ctc

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// random returns log-probabilities of random logits. Sharp ones have one symbol per
// frame that is much more likely.
func random(r *rand.Rand, frames, symbols int, sharpness float64, masked ...int) (*LogProbs, []float32) {
	logits := make([]float32, frames*symbols)
	for i := range logits {
		logits[i] = float32(r.NormFloat64() * sharpness)
	}
	p, err := LogSoftmax(logits, symbols, masked)
	if err != nil {
		panic(err)
	}
	return p, logits
}

// collapse returns the labels of a path, without repetitions and blanks.
func collapse(path []int, blank int) []int {
	labels := []int{}
	for t, k := range path {
		if k != blank && (t == 0 || path[t-1] != k) {
			labels = append(labels, k)
		}
	}
	return labels
}

// enumeration is the result of trying every path.
type enumeration struct {
	sums map[string]float64 // log-probability of labels
	best map[string]float64 // log-probability of the most likely path
}

func tryAll(p *LogProbs, blank int) enumeration {
	w := enumeration{map[string]float64{}, map[string]float64{}}
	path := make([]int, p.Frames())
	var visit func(t int, score float64)
	visit = func(t int, score float64) {
		if t == len(path) {
			key := fmt.Sprint(collapse(path, blank))
			if _, ok := w.sums[key]; !ok {
				w.sums[key], w.best[key] = math.Inf(-1), math.Inf(-1)
			}
			w.sums[key] = math.Log(math.Exp(w.sums[key]) + math.Exp(score))
			w.best[key] = max(w.best[key], score)
			return
		}
		for k := range p.Symbols() {
			path[t] = k
			visit(t+1, score+p.At(t, k))
		}
	}
	visit(0, 0)
	return w
}

func (w enumeration) logProb(labels []int) float64 {
	if v, ok := w.sums[fmt.Sprint(labels)]; ok {
		return v
	}
	return math.Inf(-1)
}

func same(a, b float64) bool {
	return math.IsInf(a, -1) && math.IsInf(b, -1) || math.Abs(a-b) < 1e-9
}

func replaced(labels []int, i, j int, others ...int) []int {
	return slices.Concat(labels[:i], others, labels[j:])
}

// TestAgainstAllPaths compares with the sums over all paths, for small sizes.
func TestAgainstAllPaths(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 60 {
		symbols, frames := 2+r.IntN(3), 1+r.IntN(6)
		blank := r.IntN(symbols)
		p, _ := random(r, frames, symbols, 2)
		w := tryAll(p, blank)
		labels := make([]int, r.IntN(frames+1))
		for i := range labels {
			labels[i] = (blank + 1 + r.IntN(symbols-1)) % symbols
		}
		if Needed(labels) > frames {
			_, err := ForcedAlign(p, labels, blank)
			var short *TooShortError
			if !errors.As(err, &short) || short.Needed != Needed(labels) || short.Frames != frames {
				t.Errorf("%v in %d frames: %v", labels, frames, err)
			}
			if !math.IsInf(w.logProb(labels), -1) {
				t.Errorf("%v in %d frames is possible", labels, frames)
			}
			continue
		}
		checkPath(t, p, labels, blank, w)
		checkLattice(t, p, labels, blank, w)
	}
}

func alignmentFree(t *testing.T, l *Lattice) []Goodness {
	t.Helper()
	g, err := AlignmentFree(t.Context(), l)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func checkPath(t *testing.T, p *LogProbs, labels []int, blank int, w enumeration) {
	t.Helper()
	path, err := ForcedAlign(p, labels, blank)
	if err != nil {
		t.Fatal(err)
	}
	var score float64
	for f, k := range path {
		score += p.At(f, k)
	}
	if !slices.Equal(collapse(path, blank), labels) || !same(score, w.best[fmt.Sprint(labels)]) {
		t.Errorf("the path %v of %v has %v, the best of all %v", path, labels, score, w.best[fmt.Sprint(labels)])
	}
}

func checkLattice(t *testing.T, p *LogProbs, labels []int, blank int, w enumeration) {
	t.Helper()
	l, err := NewLattice(t.Context(), p, labels, blank)
	if err != nil {
		t.Fatal(err)
	}
	if !same(l.LogProb(), w.logProb(labels)) {
		t.Errorf("log P%v is %v, over all paths %v", labels, l.LogProb(), w.logProb(labels))
	}
	var letters []int
	for k := range p.Symbols() {
		if k != blank {
			letters = append(letters, k)
		}
	}
	for i := range len(labels) + 1 {
		for j := i; j <= len(labels); j++ {
			for _, others := range [][]int{nil, {letters[0]}, {letters[0], letters[len(letters)-1]}} {
				want := w.logProb(replaced(labels, i, j, others...))
				if got := l.Replace(i, j, others); !same(got, want) {
					t.Errorf("%v with %v for %d:%d has %v, over all paths %v", labels, others, i, j, got, want)
				}
			}
		}
	}
	for i, g := range alignmentFree(t, l) {
		best, heard := w.logProb(replaced(labels, i, i+1)), Deletion
		sum := math.Exp(best)
		for _, k := range letters {
			v := w.logProb(replaced(labels, i, i+1, k))
			sum += math.Exp(v)
			if v > best {
				best, heard = v, k
			}
		}
		if want := w.logProb(labels) - math.Log(sum); !same(g.Value, want) || g.Heard != heard {
			t.Errorf("GOP-AF-SD of %v at %d is %+v, over all paths %v with %d heard", labels, i, g, want, heard)
		}
	}
}

// TestBandDoesNotChangeSums compares AlignmentFree, which sums over a band of frames,
// with Replace, which sums over all frames, at realistic sizes.
func TestBandDoesNotChangeSums(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, sharpness := range []float64{0.1, 3, 12} {
		p, _ := random(r, 120, 12, sharpness)
		labels := []int{}
		for _, s := range Greedy(p, 0)[:20] {
			labels = append(labels, s.Symbol)
		}
		labels[3], labels[4], labels[15] = 5, 5, 1 // some are wrong
		l, err := NewLattice(t.Context(), p, labels, 0)
		if err != nil {
			t.Fatal(err)
		}
		for i, g := range alignmentFree(t, l) {
			sum := l.Replace(i, i+1, nil)
			for k := 1; k < p.Symbols(); k++ {
				sum = logAdd(sum, l.Replace(i, i+1, []int{k}))
			}
			if !same(g.Value, min(0, l.LogProb()-sum)) {
				t.Errorf("sharpness %v: GOP-AF-SD at %d is %v, without a band %v", sharpness, i, g.Value, l.LogProb()-sum)
			}
		}
	}
}

// TestUnlikelyLabelsHaveAProbability checks labels whose probability is too small for
// a float64.
func TestUnlikelyLabelsHaveAProbability(t *testing.T) {
	logits := make([]float32, 400*4)
	for f := range 400 {
		logits[f*4] = 60 // the blank, always
	}
	p, err := LogSoftmax(logits, 4, nil)
	if err != nil {
		t.Fatal(err)
	}
	l, err := NewLattice(t.Context(), p, slices.Repeat([]int{1, 2, 3}, 20), 0)
	if err != nil {
		t.Fatal(err)
	}
	if v := l.LogProb(); math.IsInf(v, 0) || v > -1000 {
		t.Errorf("log P is %v", v)
	}
	for i, g := range alignmentFree(t, l) {
		if g.Value > -20 || math.IsInf(g.Value, 0) || g.Heard != Deletion {
			t.Errorf("GOP-AF-SD at %d is %+v", i, g)
		}
	}
}

func TestLogSoftmaxMasks(t *testing.T) {
	p, err := LogSoftmax([]float32{1, 9, 1, 0}, 4, []int{1})
	if err != nil {
		t.Fatal(err)
	}
	if !math.IsInf(p.At(0, 1), -1) {
		t.Errorf("the masked symbol has %v", p.At(0, 1))
	}
	if sum := math.Exp(p.At(0, 0)) + math.Exp(p.At(0, 2)) + math.Exp(p.At(0, 3)); !same(sum, 1) {
		t.Errorf("the others sum up to %v", sum)
	}
	if _, err := ForcedAlign(p, []int{1}, 0); !errors.Is(err, ErrImpossible) {
		t.Errorf("a masked label is aligned: %v", err)
	}
	if _, err := NewLattice(t.Context(), p, []int{1}, 0); !errors.Is(err, ErrImpossible) {
		t.Errorf("a masked label has a lattice: %v", err)
	}
	for name, logits := range map[string][]float32{
		"half a row": {1, 2, 3},
		"not finite": {1, 2, float32(math.NaN()), 4},
		"infinite":   {1, 2, float32(math.Inf(1)), 4},
	} {
		if _, err := LogSoftmax(logits, 4, nil); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

func TestBadLabels(t *testing.T) {
	p, _ := random(rand.New(rand.NewPCG(5, 6)), 5, 4, 1)
	for _, labels := range [][]int{{0}, {4}, {-1}} {
		if _, err := ForcedAlign(p, labels, 0); err == nil {
			t.Errorf("%v is aligned", labels)
		}
		if _, err := NewLattice(t.Context(), p, labels, 0); err == nil {
			t.Errorf("%v has a lattice", labels)
		}
	}
	none, err := LogSoftmax(nil, 4, nil)
	if err != nil {
		t.Fatal(err)
	}
	if path, err := ForcedAlign(none, nil, 0); err != nil || len(path) != 0 {
		t.Errorf("no labels in no frames: %v, %v", path, err)
	}
	l, err := NewLattice(t.Context(), none, nil, 0)
	if err != nil || l.LogProb() != 0 || l.Replace(0, 0, nil) != 0 || !math.IsInf(l.Replace(0, 0, []int{1}), -1) {
		t.Errorf("a lattice without frames: %v, %v", l, err)
	}
}

func TestCancelled(t *testing.T) {
	p, _ := random(rand.New(rand.NewPCG(7, 8)), 20, 4, 1)
	ctx, cancel := context.WithCancel(t.Context())
	l, err := NewLattice(ctx, p, []int{1, 2, 3}, 0)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := AlignmentFree(ctx, l); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled AlignmentFree: %v", err)
	}
	if _, err := NewLattice(ctx, p, []int{1, 2, 3}, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled NewLattice: %v", err)
	}
}

func TestGreedyTimes(t *testing.T) {
	// b b - a a b - - b, with 0 as the blank.
	var logits []float32
	for _, k := range []int{2, 2, 0, 1, 1, 2, 0, 0, 2} {
		row := make([]float32, 3)
		row[k] = 10
		logits = append(logits, row...)
	}
	p, err := LogSoftmax(logits, 3, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []Span{{2, 0, 2, 0}, {1, 3, 5, 0}, {2, 5, 6, 0}, {2, 8, 9, 0}}
	got := Greedy(p, 0)
	for i := range got {
		if got[i].Score < -1e-3 || got[i].Score > 0 {
			t.Errorf("span %d has the score %v", i, got[i].Score)
		}
		got[i].Score = 0
	}
	if !slices.Equal(got, want) {
		t.Errorf("decoded %v, want %v", got, want)
	}
}

// TestMeasuresFindASubstitution checks that each measure finds the label that was not
// said, and the one that was said instead.
func TestMeasuresFindASubstitution(t *testing.T) {
	var logits []float32
	for _, k := range []int{0, 1, 1, 0, 2, 0, 3, 3, 0} {
		row := []float32{0, 0, 0, 0, 0}
		row[k] = 8
		logits = append(logits, row...)
	}
	p, err := LogSoftmax(logits, 5, nil)
	if err != nil {
		t.Fatal(err)
	}
	labels := []int{1, 4, 3} // 2 was said instead of 4
	path, err := ForcedAlign(p, labels, 0)
	if err != nil {
		t.Fatal(err)
	}
	spans := MergeTokens(p, path, 0)
	l, err := NewLattice(t.Context(), p, labels, 0)
	if err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string][]Goodness{
		"GOP-SA":    SelfAligned(p, spans, 0),
		"GOP-AF-SD": alignmentFree(t, l),
		"max logit": MaxLogit(p, logits, spans, 0),
	} {
		for i, g := range got {
			if wrong := i == 1; wrong != (g.Value < -5) || (!wrong && g.Heard != labels[i]) {
				t.Errorf("%s of label %d is %+v", name, i, g)
			}
		}
		// The label is forced onto some frame, which may be that of a blank.
		if h := got[1].Heard; h != 2 && h != Deletion || name == "GOP-AF-SD" && h != 2 {
			t.Errorf("%s hears %d", name, h)
		}
	}
}

// FuzzAlign checks that for any sizes there is a path with the labels or an error,
// and that measures are at most 0.
func FuzzAlign(f *testing.F) {
	f.Add(uint64(1), uint8(10), uint8(4), []byte{1, 1, 2})
	f.Add(uint64(2), uint8(0), uint8(1), []byte{})
	f.Add(uint64(3), uint8(3), uint8(2), []byte{1, 1})
	f.Fuzz(func(t *testing.T, seed uint64, frames, symbols uint8, text []byte) {
		n := int(symbols)%16 + 1
		p, logits := random(rand.New(rand.NewPCG(seed, 0)), int(frames), n, 3)
		labels := make([]int, min(len(text), 64))
		for i := range labels {
			labels[i] = int(text[i]) % n
		}
		path, err := ForcedAlign(p, labels, 0)
		l, latticeErr := NewLattice(t.Context(), p, labels, 0)
		if (err == nil) != (latticeErr == nil) {
			t.Fatalf("aligned: %v, lattice: %v", err, latticeErr)
		}
		if err != nil {
			return
		}
		if !slices.Equal(collapse(path, 0), labels) {
			t.Errorf("%v does not spell %v", path, labels)
		}
		spans := MergeTokens(p, path, 0)
		if len(spans) != len(labels) {
			t.Fatalf("%d spans of %d labels", len(spans), len(labels))
		}
		for _, measure := range [][]Goodness{alignmentFree(t, l), SelfAligned(p, spans, 0), MaxLogit(p, logits, spans, 0)} {
			for i, g := range measure {
				if !(g.Value <= 1e-9) || g.Heard < Deletion || g.Heard >= n {
					t.Errorf("the measure of label %d is %+v", i, g)
				}
			}
		}
	})
}
