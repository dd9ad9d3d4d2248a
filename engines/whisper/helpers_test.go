package whisper

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/lexilingo/modelgateway/engines"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// sharedEngine is used by all tests: whisper.cpp is initialised once in a process.
var sharedEngine = New()

// starter returns the path of the starter model.
func starter() string { return filepath.Join("..", "..", "models", "starter", "whisper.bin") }

// load loads a model with settings for two concurrent streams, each with one thread:
// on a busy machine more threads would wait for each other.
func load(t *testing.T, path string, settings map[string]any) *model {
	t.Helper()
	parameters, err := structpb.NewStruct(settings)
	if err != nil {
		t.Fatal(err)
	}
	m, err := sharedEngine.Load(t.Context(), engines.LoadOptions{
		Path: path, Device: "cpu", Threads: 1, MaxConcurrency: 2, Parameters: parameters, Work: &engines.WorkCounter{},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m.(*model)
}

// firstSentence is the first sentence of speechSamples.
const firstSentence = "there is the game below the rock"

// speechSamples returns 11 s of speech: five sentences that the starter's training
// did not contain, in voices that it did (festival's slt and kal, flite's awb and
// kal16).
func speechSamples(t testing.TB) []float32 {
	t.Helper()
	file, err := os.ReadFile(filepath.Join("testdata", "sentences.opus"))
	if err != nil {
		t.Fatal(err)
	}
	return decode(t, file)
}

// personFile returns the path of 11 s of a person's speech, a sample of the whisper.cpp
// binding.
func personFile(t testing.TB) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/ggerganov/whisper.cpp/bindings/go").Output()
	if err != nil {
		t.Fatalf("cannot find the whisper.cpp binding: %v", err)
	}
	return filepath.Join(strings.TrimSpace(string(out)), "samples", "jfk.wav")
}

// personSamples returns the speech of personFile. vadModel is adjusted to its level.
func personSamples(t testing.TB) []float32 {
	t.Helper()
	data, err := os.ReadFile(personFile(t))
	if err != nil {
		t.Fatal(err)
	}
	return decode(t, data)
}

// longSpeech returns speech of a length in seconds: speechSamples repeated with
// different levels and speeds, so that no stretch is the same as another.
func longSpeech(t testing.TB, seconds int) []float32 {
	t.Helper()
	return repeated(speechSamples(t), seconds)
}

func repeated(clip []float32, seconds int) []float32 {
	var long []float32
	for round := 0; len(long) < seconds*16000; round++ {
		gain := float32(0.5 + 0.5*math.Abs(math.Cos(float64(round))))
		speed := 1 + 0.1*math.Sin(float64(round))
		for at := 0.0; int(at) < len(clip)-1; at += speed {
			i, f := int(at), float32(at-math.Floor(at))
			long = append(long, gain*(clip[i]*(1-f)+clip[i+1]*f))
		}
	}
	return long[:seconds*16000]
}

// pcm encodes samples as raw 16-bit PCM.
func pcm(samples []float32) []byte {
	data := make([]byte, 2*len(samples))
	for i, s := range samples {
		binary.LittleEndian.PutUint16(data[2*i:], uint16(int16(math.Round(float64(s)*32767))))
	}
	return data
}

// wav encodes interleaved samples as a WAV file of 32-bit floats.
func wav(samples []float32, rate, channels int) []byte {
	var b bytes.Buffer
	size := 4 * len(samples)
	b.WriteString("RIFF")
	for _, v := range []any{uint32(36 + size), []byte("WAVEfmt "), uint32(16), uint16(3), uint16(channels), uint32(rate),
		uint32(rate * channels * 4), uint16(channels * 4), uint16(32), []byte("data"), uint32(size), samples} {
		_ = binary.Write(&b, binary.LittleEndian, v)
	}
	return b.Bytes()
}

// source returns audio in pieces.
type source struct {
	data  []byte
	piece int
	gate  chan struct{} // if set, Next waits until it can receive from it
}

// Next implements engines.AudioSource.
func (s *source) Next() ([]byte, error) {
	if s.gate != nil {
		<-s.gate
	}
	if len(s.data) == 0 {
		return nil, io.EOF
	}
	n := min(len(s.data), s.piece)
	piece := s.data[:n]
	s.data = s.data[n:]
	return piece, nil
}

func rawFormat() *gatewayv1.AudioFormat {
	return &gatewayv1.AudioFormat{Encoding: gatewayv1.AudioEncoding_AUDIO_ENCODING_PCM_S16LE, SampleRateHertz: 16000, ChannelCount: 1}
}

// transcribe runs a call with a file's bytes and returns its events.
func transcribe(ctx context.Context, m *model, cfg *gatewayv1.TranscriptionConfig, data []byte) ([]*gatewayv1.TranscriptionEvent, error) {
	var events []*gatewayv1.TranscriptionEvent
	err := m.Transcribe(ctx, cfg, &source{data: data, piece: 1 << 15}, func(e *gatewayv1.TranscriptionEvent) error {
		events = append(events, e)
		return nil
	})
	return events, err
}

// final runs a call and returns its transcript.
func final(t *testing.T, m *model, cfg *gatewayv1.TranscriptionConfig, data []byte) *gatewayv1.Transcript {
	t.Helper()
	events, err := transcribe(t.Context(), m, cfg, data)
	if err != nil {
		t.Fatal(err)
	}
	last := events[len(events)-1].GetFinal()
	if last == nil {
		t.Fatalf("the last event is %v", events[len(events)-1])
	}
	return last
}
