package settings

import (
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/lexilingo/modelgateway/engines/footprint"
)

func estimate(t *testing.T, m footprint.Model) int64 {
	t.Helper()
	n, err := EstimateMemory(m)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// sparse makes a file of a size that takes no space on the disk.
func sparse(t *testing.T, path string, size int64) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func hubert(path string, parameters map[string]any) footprint.Model {
	p, err := structpb.NewStruct(parameters)
	if err != nil {
		panic(err)
	}
	return footprint.Model{Path: path, Parameters: p, MaxConcurrency: 1}
}

// TestEstimateHoldsMeasuredPeaks compares the estimate with the peaks of
// engine-hubert in MiB: on HuBERT-large shapes of bench/make_hubert.py with a clip
// of 20 s, and on the starter model with 60 s of noise.
func TestEstimateHoldsMeasuredPeaks(t *testing.T) {
	dir := t.TempDir()
	sparse(t, filepath.Join(dir, "model.onnx"), 1_261_956_874)
	sparse(t, filepath.Join(dir, "model_int8.onnx"), 354_460_021)
	for name, c := range map[string]struct {
		source footprint.Model
		peak   int64
	}{
		"32-bit floats": {hubert(dir, nil), 1547},
		"8 bits":        {hubert(dir, map[string]any{"file": "model_int8.onnx"}), 794},
		"starter":       {hubert("../../../models/starter/pronunciation.onnx", nil), 288},
	} {
		got := estimate(t, c.source) >> 20
		if got < c.peak || got > c.peak*5/4+64 {
			t.Errorf("%s: estimated %d MiB, measured %d", name, got, c.peak)
		}
	}
	if large := estimate(t, hubert(dir, nil)); large > 2000<<20 {
		t.Errorf("HuBERT-large is estimated at %d MiB, more than the 2,000 of the Python gateway", large>>20)
	}
}

func TestEstimateGrowsWithTheParameters(t *testing.T) {
	dir := t.TempDir()
	sparse(t, filepath.Join(dir, "model.onnx"), 400<<20)
	plain := estimate(t, hubert(dir, nil))
	for name, parameters := range map[string]map[string]any{
		"longer windows": {"window_seconds": 40},
		"longer clips":   {"max_seconds": 200},
	} {
		if got := estimate(t, hubert(dir, parameters)); got <= plain {
			t.Errorf("%s: %d, without %d", name, got, plain)
		}
	}
	two := hubert(dir, nil)
	two.MaxConcurrency = 2
	if got := estimate(t, two); got <= plain {
		t.Errorf("two requests at the same time: %d, one %d", got, plain)
	}
	sparse(t, filepath.Join(dir, "model.onnx_data"), 400<<20)
	if got := estimate(t, hubert(dir, nil)); got <= plain+400<<20 {
		t.Errorf("weights beside the graph: %d, without %d", got, plain)
	}
}
