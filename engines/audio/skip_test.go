package audio

import (
	"bytes"
	"errors"
	"io"
	"os"
	"slices"
	"testing"
	"time"
)

// Skip leaves out the first part of the samples, to the sample, and nothing else.
func TestSkip(t *testing.T) {
	for _, name := range []string{"wav-16.wav", "stereo-44k.flac", "mono-16k.mp3", "browser-mono.webm"} {
		data, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		all, err := ReadAll(t.Context(), nil, data, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		for _, first := range []time.Duration{0, 10 * time.Millisecond, 330 * time.Millisecond, time.Hour} {
			r := NewReader(nil, &clip{ctx: t.Context(), data: bytes.NewReader(data)}, Limits{})
			r.Skip(first)
			var got []float32
			buf := make([]float32, 1000)
			for err == nil {
				var n int
				n, err = r.Read(buf)
				got = append(got, buf[:n]...)
			}
			want := all[min(len(all), int(first*SampleRate/time.Second)):]
			if !errors.Is(err, io.EOF) || !slices.Equal(got, want) {
				t.Errorf("%s without the first %v: %d samples, want %d; %v", name, first, len(got), len(want), err)
			}
			err = nil
		}
	}
}
