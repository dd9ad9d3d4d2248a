package codecs

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"testing"

	"github.com/lexilingo/modelgateway/engines/audio"
	"github.com/lexilingo/modelgateway/engines/encode"
	"github.com/lexilingo/modelgateway/engines/helper"
)

// speech returns samples of a tone that is loud only in its last 50 ms.
func speech(rate, n int) []int16 {
	samples := make([]int16, n)
	for i := range samples {
		level := 300.0
		if i >= n-rate/20 {
			level = 15_000
		}
		samples[i] = int16(level * math.Sin(2*math.Pi*440*float64(i)/float64(rate)))
	}
	return samples
}

// source is a file in one piece.
type source struct{ file []byte }

func (s *source) Next() ([]byte, error) {
	if s.file == nil {
		return nil, io.EOF
	}
	all := s.file
	s.file = nil
	return all, nil
}

// decoded returns encoded audio at 16 kHz.
func decoded(t *testing.T, file []byte) []float32 {
	t.Helper()
	r := audio.NewReader(nil, &source{file}, audio.Limits{})
	defer func() { _ = r.Close() }()
	var out []float32
	for buf := make([]float32, 4096); ; {
		n, err := r.Read(buf)
		out = append(out, buf[:n]...)
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// Everything that is encoded can be decoded, to the last sample.
func TestNothingIsLost(t *testing.T) {
	for _, format := range encode.Formats() {
		for _, rate := range []int{8000, 16000, 22050, 24000, 48000} {
			// What a stream of MP3 cannot say: which samples of its last frames are padding.
			frame := 576
			if rate >= 32_000 {
				frame = 1152
			}
			slack := map[string]int{encode.MP3: frame + 47, encode.OggOpus: rate / 50, encode.FLAC: 2}[format]
			n := 3*rate + 777
			e, err := New(encode.Settings{Format: format, Rate: rate, Bitrate: 32_000})
			if err != nil {
				t.Fatal(err)
			}
			var in, out bytes.Buffer
			samples := speech(rate, n)
			for len(samples) > 0 {
				piece := samples[:min(len(samples), 5000)]
				samples = samples[len(piece):]
				pcm := make([]byte, 0, 2*len(piece))
				for _, v := range piece {
					pcm = binary.LittleEndian.AppendUint16(pcm, uint16(v))
				}
				if err := helper.WriteFrame(&in, pcm); err != nil {
					t.Fatal(err)
				}
			}
			if err := helper.WriteFrame(&in, nil); err != nil {
				t.Fatal(err)
			}
			if err := encode.Serve(&in, &out, e); err != nil {
				t.Fatalf("%s at %d Hz: %v", format, rate, err)
			}
			e.Close()
			var file []byte
			early := 0
			for {
				frame, err := helper.ReadFrame(&out)
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				if file = append(file, frame...); out.Len() > 0 {
					early = len(file)
				}
			}
			got := decoded(t, file)
			want := n * audio.SampleRate / rate
			if len(got) < want-2-want/10_000 || len(got) > want+slack*audio.SampleRate/rate+2 {
				t.Errorf("%s at %d Hz: %d samples, want %d and at most %d more", format, rate, len(got), want, slack*audio.SampleRate/rate)
			}
			if early < len(file)/2 {
				t.Errorf("%s at %d Hz: of %d bytes, %d came before the end", format, rate, len(file), early)
			}
			loudest := float32(0)
			for _, v := range got[max(0, want-audio.SampleRate/25):] {
				loudest = max(loudest, v)
			}
			if loudest < 0.2 {
				t.Errorf("%s at %d Hz: the end is lost, the loudest of its samples is %.3f", format, rate, loudest)
			}
		}
	}
}

func TestRefusesWhatItCannotEncode(t *testing.T) {
	if e, err := New(encode.Settings{Format: "aac", Rate: 16000}); err == nil {
		e.Close()
		t.Error("AAC is accepted")
	}
}
