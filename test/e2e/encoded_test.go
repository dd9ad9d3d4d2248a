package e2e

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"

	"github.com/lexilingo/modelgateway/engines/audio"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// whole is a recording that is read in one piece.
type whole struct{ data []byte }

func (w *whole) Next() ([]byte, error) {
	if w.data == nil {
		return nil, io.EOF
	}
	all := w.data
	w.data = nil
	return all, nil
}

// seconds returns how long an encoded recording is.
func seconds(t *testing.T, file []byte) float64 {
	t.Helper()
	r := audio.NewReader(nil, &whole{file}, audio.Limits{})
	defer func() { _ = r.Close() }()
	total := 0
	for buf := make([]float32, 4096); ; {
		n, err := r.Read(buf)
		total += n
		if errors.Is(err, io.EOF) {
			return float64(total) / audio.SampleRate
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// Speech is encoded while it is made, and nothing of it is lost.
func TestEncodedSpeech(t *testing.T) {
	s := start(t, speechModels)
	const text = readAloud + " " + readAloud
	say := func(ctx context.Context, out *gatewayv1.SpeechOutput) (file []byte, rate int32, pieces int) {
		zero := float32(0)
		stream, err := s.models.Synthesize(ctx, &gatewayv1.SynthesizeRequest{
			Input: &gatewayv1.SynthesizeRequest_Text{Text: text}, Output: out, NoiseScale: &zero, NoiseW: &zero,
		})
		for err == nil {
			var m *gatewayv1.SynthesizeResponse
			if m, err = stream.Recv(); err == nil {
				file, rate = append(file, m.GetAudio()...), max(rate, m.GetSampleRateHertz())
				if len(m.GetAudio()) > 0 {
					pieces++
				}
			}
		}
		if !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		return file, rate, pieces
	}
	ctx := within(t, patience)
	pcm, rate, _ := say(ctx, nil)
	want := float64(len(pcm)) / 2 / float64(rate)
	for name, c := range map[string]struct {
		out   *gatewayv1.SpeechOutput
		magic string
		slack float64 // in seconds
	}{
		"WAV":         {&gatewayv1.SpeechOutput{Encoding: gatewayv1.AudioEncoding_AUDIO_ENCODING_WAV, SampleRateHertz: 16000}, "RIFF", 0.001},
		"FLAC":        {&gatewayv1.SpeechOutput{Encoding: gatewayv1.AudioEncoding_AUDIO_ENCODING_FLAC}, "fLaC", 0.001},
		"MP3":         {&gatewayv1.SpeechOutput{Encoding: gatewayv1.AudioEncoding_AUDIO_ENCODING_MP3, Bitrate: 48000, SampleRateHertz: 24000}, "\xff", 0.03},
		"Opus in Ogg": {&gatewayv1.SpeechOutput{Encoding: gatewayv1.AudioEncoding_AUDIO_ENCODING_OGG_OPUS}, "OggS", 0.02},
	} {
		file, _, pieces := say(ctx, c.out)
		if got := seconds(t, file); !bytes.HasPrefix(file, []byte(c.magic)) || got < want-0.001 || got > want+c.slack || pieces < 2 {
			t.Errorf("%s: %.3f s in %d bytes and %d pieces, want %.3f s", name, got, len(file), pieces, want)
		}
	}
	if file, got, _ := say(ctx, &gatewayv1.SpeechOutput{SampleRateHertz: 24000}); got != 24000 || len(file)/2 < int(want*24000)-1 || len(file)/2 > int(want*24000)+1 {
		t.Errorf("24 kHz: %d bytes at %d Hz, want %.3f s", len(file), got, want)
	}
}
