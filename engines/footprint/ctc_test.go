package footprint

import (
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/types/known/structpb"
)

// sparse makes a file of a size that takes no room.
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

func hubert(path string, parameters map[string]any) Source {
	p, err := structpb.NewStruct(parameters)
	if err != nil {
		panic(err)
	}
	return Source{Engine: "hubert", Path: path, Parameters: p, MaxConcurrency: 1}
}

// The peaks are those of engine-hubert on HuBERT-large shapes of bench/make_hubert.py
// and on a clip of 20 s, and on the starter model and 60 s of noise, in MiB.
func TestCTCHoldsWhatWasMeasured(t *testing.T) {
	dir := t.TempDir()
	sparse(t, filepath.Join(dir, "model.onnx"), 1_261_956_874)
	sparse(t, filepath.Join(dir, "model_int8.onnx"), 354_460_021)
	for name, c := range map[string]struct {
		source Source
		peak   int64
	}{
		"32-bit floats": {hubert(dir, nil), 1547},
		"8 bits":        {hubert(dir, map[string]any{"file": "model_int8.onnx"}), 794},
		"starter":       {hubert("../../models/starter/pronunciation.onnx", nil), 349},
	} {
		got := estimate(t, c.source) >> 20
		if got < c.peak || got > c.peak*5/4+64 {
			t.Errorf("%s: estimated %d MiB, measured %d", name, got, c.peak)
		}
	}
	if original := estimate(t, hubert(dir, nil)); original > 2000<<20 {
		t.Errorf("HuBERT-large is estimated at %d MiB, more than the 2,000 that the original gave it", original>>20)
	}
}

func TestCTCGrowsWithItsSettings(t *testing.T) {
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
		t.Errorf("two calls at once: %d, one %d", got, plain)
	}
	sparse(t, filepath.Join(dir, "model.onnx_data"), 400<<20)
	if got := estimate(t, hubert(dir, nil)); got <= plain+400<<20 {
		t.Errorf("weights beside the graph: %d, without %d", got, plain)
	}
}
