package speechout

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

func output(encoding gatewayv1.AudioEncoding, rate, bitrate int32) *gatewayv1.SpeechOutput {
	return &gatewayv1.SpeechOutput{Encoding: encoding, SampleRateHertz: rate, Bitrate: bitrate}
}

const (
	pcm  = gatewayv1.AudioEncoding_AUDIO_ENCODING_PCM_S16LE
	wav  = gatewayv1.AudioEncoding_AUDIO_ENCODING_WAV
	mp3  = gatewayv1.AudioEncoding_AUDIO_ENCODING_MP3
	opus = gatewayv1.AudioEncoding_AUDIO_ENCODING_OGG_OPUS
	flac = gatewayv1.AudioEncoding_AUDIO_ENCODING_FLAC
)

func TestCheck(t *testing.T) {
	for name, c := range map[string]struct {
		out  *gatewayv1.SpeechOutput
		path string
		want errs.Reason
	}{
		"none":            {nil, "none", 0},
		"pcm":             {output(pcm, 24000, 0), "none", 0},
		"mp3":             {output(mp3, 22050, 128000), "/bin/sh", 0},
		"opus":            {output(opus, 0, 6000), "/bin/sh", 0},
		"flac's bitrate":  {output(flac, 0, 64000), "/bin/sh", errs.InvalidRequest},
		"wav's bitrate":   {output(wav, 0, 64000), "/bin/sh", errs.InvalidRequest},
		"mp3's rate":      {output(mp3, 9999, 0), "/bin/sh", errs.InvalidRequest},
		"mp3's bitrate":   {output(mp3, 0, 7000), "/bin/sh", errs.InvalidRequest},
		"opus's bitrate":  {output(opus, 0, 300000), "/bin/sh", errs.InvalidRequest},
		"no such program": {output(mp3, 0, 0), filepath.Join(t.TempDir(), "none"), errs.EngineUnavailable},
	} {
		if got := errs.ReasonOf(Encoder{Path: c.path}.Check(c.out)); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// PCM and WAV need no program, and may have another rate.
func TestSamples(t *testing.T) {
	second := make([]byte, 2*22050)
	for _, c := range []struct {
		out    *gatewayv1.SpeechOutput
		header int
		rate   int
	}{{output(pcm, 0, 0), 0, 22050}, {output(pcm, 24000, 0), 0, 24000}, {output(wav, 8000, 0), 44, 8000}} {
		s, err := Encoder{}.NewStream(t.Context(), c.out, 22050)
		if err != nil {
			t.Fatal(err)
		}
		var all []byte
		for _, part := range [][]byte{second[:20000], second[20000:], nil} {
			got, err := s.Add(part)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, got...)
		}
		rest, err := s.End()
		s.Close()
		if all = append(all, rest...); err != nil || len(all) != c.header+2*c.rate || s.Rate() != c.rate {
			t.Errorf("%v: %d bytes at %d Hz, %v", c.out, len(all), s.Rate(), err)
		}
		if c.header > 0 && !bytes.HasPrefix(all, []byte("RIFF")) {
			t.Errorf("no header: %q", all[:8])
		}
	}
}

// An encoder that ends is an error that says why.
func TestEncoderFails(t *testing.T) {
	program := filepath.Join(t.TempDir(), "encode-speech")
	if err := os.WriteFile(program, []byte("#!/bin/sh\necho no memory >&2\nhead -c 100000 /dev/zero >&2\nexit 3\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	s, err := Encoder{program}.NewStream(t.Context(), output(mp3, 0, 0), 22050)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	_, err = s.Add(make([]byte, 1000))
	if errs.ReasonOf(err) != errs.EngineUnavailable || !strings.Contains(err.Error(), "no memory") || len(err.Error()) > 4096 {
		t.Errorf("%.300v", err)
	}
}

// The encoder of a request ends with it.
func TestEncoderEndsWithTheRequest(t *testing.T) {
	program := filepath.Join(t.TempDir(), "encode-speech")
	if err := os.WriteFile(program, []byte("#!/bin/sh\nexec sleep 1000\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	s, err := Encoder{program}.NewStream(ctx, output(opus, 0, 0), 22050)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err = s.Add(make([]byte, 1000)); err == nil {
		t.Error("it answered")
	}
	s.Close()
	other, err := Encoder{program}.NewStream(t.Context(), output(opus, 0, 0), 22050)
	if err != nil {
		t.Fatal(err)
	}
	other.Close() // while it runs
}
