package benchkit

import (
	"bytes"
	"context"
	"fmt"
	"os"

	"github.com/lexilingo/modelgateway/engines/audio"
)

// ClipRate is the rate of a Clip in hertz.
const ClipRate = audio.SampleRate

// Clip is recorded speech: samples of ClipRate, -1 to 1.
type Clip []float32

// ReadClip reads an audio file.
func ReadClip(ctx context.Context, path string) (Clip, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("give speech with -audio, e.g. samples/jfk.wav of whisper.cpp: %w", err)
	}
	return audio.ReadAll(ctx, nil, data, audio.Limits{})
}

// Cut returns a clip of that many seconds. A shorter clip is repeated.
func (c Clip) Cut(seconds float64) Clip {
	size := int(seconds * ClipRate)
	out := make(Clip, 0, size+len(c))
	for len(out) < size {
		out = append(out, c...)
	}
	return out[:size]
}

// Seconds returns the length of the clip.
func (c Clip) Seconds() float64 { return float64(len(c)) / ClipRate }

// WAV returns the clip as a WAV file with 16-bit samples.
func (c Clip) WAV() []byte {
	var b bytes.Buffer
	_ = audio.EncodeWAV(&b, c.PCM(), ClipRate) // a buffer never fails
	return b.Bytes()
}

// PCM returns the clip as raw 16-bit little-endian samples.
func (c Clip) PCM() []byte { return audio.EncodePCM16(c) }
