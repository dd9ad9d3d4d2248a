package ctc

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"testing"
)

// goldenCase has the results of torch and torchaudio; see testdata/make_golden.py.
type goldenCase struct {
	Symbols int          `json:"symbols"`
	Blank   int          `json:"blank"`
	Labels  []int        `json:"labels"`
	Logits  []float64    `json:"logits"` // in thousandths
	Path    []int        `json:"path"`
	Spans   [][4]float64 `json:"spans"` // symbol, start, end, score
	LogProb float64      `json:"log_prob"`
}

func goldenCases(t *testing.T) []goldenCase {
	t.Helper()
	data, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		Cases []goldenCase `json:"cases"`
	}
	if err := json.Unmarshal(data, &golden); err != nil {
		t.Fatal(err)
	}
	if len(golden.Cases) < 50 {
		t.Fatalf("there are %d cases", len(golden.Cases))
	}
	return golden.Cases
}

func (c goldenCase) logProbs(t *testing.T) *LogProbs {
	t.Helper()
	logits := make([]float32, len(c.Logits))
	for i, x := range c.Logits {
		logits[i] = float32(x / 1000)
	}
	p, err := LogSoftmax(logits, c.Symbols, nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// tolerance allows for logits that torch had as 32-bit floats.
const tolerance = 1e-4

func TestForcedAlignIsTorchaudios(t *testing.T) {
	repeats := 0
	for i, c := range goldenCases(t) {
		p := c.logProbs(t)
		path, err := ForcedAlign(p, c.Labels, c.Blank)
		if err != nil {
			t.Fatalf("case %d: %v", i, err)
		}
		if !slices.Equal(path, c.Path) {
			t.Errorf("case %d: labels %v are aligned as\n%v, by torchaudio as\n%v", i, c.Labels, path, c.Path)
		}
		spans := MergeTokens(p, path, c.Blank)
		if len(spans) != len(c.Spans) {
			t.Fatalf("case %d: %d spans, torchaudio has %d", i, len(spans), len(c.Spans))
		}
		for j, s := range spans {
			want := c.Spans[j]
			if s.Symbol != int(want[0]) || s.Start != int(want[1]) || s.End != int(want[2]) || math.Abs(s.Score-want[3]) > tolerance {
				t.Errorf("case %d: span %d is %+v, torchaudio's %v", i, j, s, want)
			}
		}
		if Needed(c.Labels) > len(c.Labels) {
			repeats++
		}
	}
	if repeats < 10 {
		t.Errorf("only %d cases have repeated labels", repeats)
	}
}

func TestLogProbIsTorchs(t *testing.T) {
	for i, c := range goldenCases(t) {
		l, err := NewLattice(t.Context(), c.logProbs(t), c.Labels, c.Blank)
		if err != nil {
			t.Fatalf("case %d: %v", i, err)
		}
		if math.Abs(l.LogProb()-c.LogProb) > tolerance {
			t.Errorf("case %d: log P is %v, torch's ctc_loss says %v", i, l.LogProb(), c.LogProb)
		}
	}
}
