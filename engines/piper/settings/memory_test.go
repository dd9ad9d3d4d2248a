package settings

import (
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/lexilingo/modelgateway/engines/footprint"
)

// TestEstimateHoldsMeasuredPeaks compares the estimate with the peaks of a process
// with a medium voice, including its phonemiser, after runs of many lengths.
func TestEstimateHoldsMeasuredPeaks(t *testing.T) {
	const size = 58 << 20
	for phonemes, measured := range map[int]int64{50: 188 << 20, 100: 283 << 20, 150: 318 << 20} {
		if got := estimate(size, Parameters{MaxPhonemes: phonemes}); got < measured || got > measured*3/2 {
			t.Errorf("with %d phonemes, %d MiB are estimated and %d were measured", phonemes, got>>20, measured>>20)
		}
	}
}

func TestEstimateOfUnusableParametersIsTheDefault(t *testing.T) {
	path := filepath.Join(t.TempDir(), "voice.onnx")
	if err := os.WriteFile(path, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	at := func(phonemes float64) int64 {
		parameters := &structpb.Struct{Fields: map[string]*structpb.Value{"max_phonemes": structpb.NewNumberValue(phonemes)}}
		n, err := EstimateMemory(footprint.Model{Path: path, Parameters: parameters})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	usual, err := EstimateMemory(footprint.Model{Path: path})
	if err != nil || usual != at(float64(Defaults().MaxPhonemes)) {
		t.Errorf("without parameters it is %d, %v; with the default %d", usual, err, at(float64(Defaults().MaxPhonemes)))
	}
	if longest := at(maxPhonemes); longest <= usual {
		t.Errorf("with the most phonemes it is %d, with the default %d", longest, usual)
	}
	for _, absurd := range []float64{1e18, 1e300, -5, 0.5} {
		if got := at(absurd); got != usual {
			t.Errorf("with %v phonemes, which the load refuses, it is %d, not %d", absurd, got, usual)
		}
	}
}
