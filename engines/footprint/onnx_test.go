package footprint

import (
	"testing"

	"google.golang.org/protobuf/types/known/structpb"
)

// TestPiperCountsTheLongestRun: the peaks of a process with a medium voice, phonemiser included, after
// runs of many lengths.
func TestPiperCountsTheLongestRun(t *testing.T) {
	const size = 58 << 20
	at := func(phonemes float64) int64 {
		parameters := &structpb.Struct{Fields: map[string]*structpb.Value{"max_phonemes": structpb.NewNumberValue(phonemes)}}
		return piper(Source{Engine: "piper", Parameters: parameters}, size)
	}
	for phonemes, measured := range map[float64]int64{50: 188 << 20, 100: 283 << 20, 150: 318 << 20} {
		if got := at(phonemes); got < measured || got > measured*3/2 {
			t.Errorf("with %v phonemes, %d MiB are estimated and %d were measured", phonemes, got>>20, measured>>20)
		}
	}
	if usual, same := piper(Source{Engine: "piper"}, size), at(defaultMaxPhonemes); usual != same {
		t.Errorf("without settings it is %d, with the default ones %d", usual, same)
	}
	if absurd := at(1e18); absurd != at(10_000) {
		t.Errorf("an absurd setting is estimated at %d", absurd)
	}
}
