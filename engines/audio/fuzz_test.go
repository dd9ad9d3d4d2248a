package audio_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/lexilingo/modelgateway/engines/audio"
	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// FuzzReader reads damaged recordings of every format. The reader must end within
// its limits and return finite samples or an error with a reason. The result must
// not depend on the sizes of the pieces.
func FuzzReader(f *testing.F) {
	names, err := filepath.Glob("testdata/*.*")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data[:min(len(data), 6000)], byte(0))
	}
	f.Add(audio.EncodePCM16(make([]float32, 50)), byte(pcmS16LE))
	f.Add(floats(make([]float32, 50)), byte(pcmF32LE))
	limits := audio.Limits{MaxDuration: 2 * time.Second}
	f.Fuzz(func(t *testing.T, data []byte, encoding byte) {
		format := &gatewayv1.AudioFormat{
			Encoding:        gatewayv1.AudioEncoding(encoding % 11),
			SampleRateHertz: 8000 * int32(encoding>>3), // 0 to 248,000
			ChannelCount:    int32(encoding >> 5),
		}
		whole, err := drainAny(audio.NewReader(format, &pieces{data: data, size: fixed(1 << 20)}, limits))
		checkOutcome(t, whole, err)
		cut, cutErr := drainAny(audio.NewReader(format, &pieces{data: data, size: fixed(7)}, limits))
		if !equal(whole, cut) || (err == nil) != (cutErr == nil) {
			t.Errorf("whole: %d samples, %v; in pieces: %d samples, %v", len(whole), err, len(cut), cutErr)
		}
	})
}

func checkOutcome(t *testing.T, samples []float32, err error) {
	t.Helper()
	var typed *errs.Error
	if err != nil && !errors.As(err, &typed) {
		t.Errorf("error without a reason: %v", err)
	}
	if len(samples) > 2*audio.SampleRate {
		t.Errorf("%d samples of %d", len(samples), 2*audio.SampleRate)
	}
	for i, s := range samples {
		if s != s {
			t.Fatalf("sample %d is NaN", i)
		}
	}
}
