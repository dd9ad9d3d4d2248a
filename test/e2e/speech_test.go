package e2e

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/lexilingo/modelgateway/engines/audio"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// speechModels configures the engines with the starter models. The tests must not
// depend on what these models know, because their weights change. temperature_inc
// is 0, because decoding windows again would take most of the time. There are
// enough threads for all models at once, so that none waits for another.
const speechModels = `
cpu_threads: 16
models:
  qwen: {engine: llama, path: "starter:chat.gguf", memory_mb: 256, threads: 1, priority: critical}
  whisper: {engine: whisper, path: "starter:whisper.bin", memory_mb: 500, threads: 1, parameters: {temperature_inc: 0}}
  piper: {engine: piper, path: "starter:voice.onnx", memory_mb: 128, threads: 1}
  hubert: {engine: hubert, path: "starter:pronunciation.onnx", memory_mb: 500, threads: 1}
tasks:
  chat: {primary: qwen}
  grammar: {primary: qwen}
  transcribe: {primary: whisper}
  synthesize: {primary: piper}
  pronunciation: {primary: hubert}
`

const (
	// sentences is the text that the tests speak; words are those of the second one.
	sentences = "Good morning. The black cat sat on the old mat."
	spoken    = "The black cat sat on the old mat."
	words     = 8
	// largeMessages is a limit in bytes that allows recordings of ten minutes.
	largeMessages = 64 << 20
)

// within returns a context with a deadline that is longer than any wait of a test.
func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// quiet returns a request whose speech is always the same.
func quiet(text string) *gatewayv1.SynthesizeRequest {
	return &gatewayv1.SynthesizeRequest{
		Input: &gatewayv1.SynthesizeRequest_Text{Text: text}, NoiseScale: new(float32), NoiseW: new(float32),
	}
}

// speech is an answer of Synthesize.
type speech struct {
	pcm      []byte
	rate     int
	begun    []string // sentences
	pieces   int
	servedBy *gatewayv1.ServedBy
}

func (s *speech) duration() time.Duration {
	return time.Duration(len(s.pcm)/2) * time.Second / time.Duration(s.rate)
}

func (s *speech) wav() []byte {
	return append(audio.WAVHeader(s.rate, int64(len(s.pcm))), s.pcm...)
}

func (s *speech) add(m *gatewayv1.SynthesizeResponse) {
	s.pcm = append(s.pcm, m.GetAudio()...)
	s.pieces++
	if r := int(m.GetSampleRateHertz()); r > 0 {
		s.rate = r
	}
	if m.GetSentence() != "" {
		s.begun = append(s.begun, m.GetSentence())
	}
	if m.GetServedBy() != nil {
		s.servedBy = m.GetServedBy()
	}
}

// synthesize speaks over gRPC.
func (s *server) synthesize(ctx context.Context, req *gatewayv1.SynthesizeRequest) (*speech, error) {
	stream, err := s.models.Synthesize(ctx, req)
	if err != nil {
		return nil, err
	}
	all := &speech{}
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		all.add(m)
	}
}

// say speaks a text with the starter voice.
func (s *server) say(t *testing.T, text string) *speech {
	t.Helper()
	got, err := s.synthesize(within(t, patience), quiet(text))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// transcribe streams a clip over gRPC in pieces of the given size.
func (s *server) transcribe(ctx context.Context, cfg *gatewayv1.TranscriptionConfig, clip []byte, piece int) (*gatewayv1.TranscribeResponse, error) {
	stream, err := s.models.Transcribe(ctx)
	if err != nil {
		return nil, err
	}
	// If a send fails, the error of the answer says more.
	err = stream.Send(&gatewayv1.TranscribeRequest{Payload: &gatewayv1.TranscribeRequest_Config{Config: cfg}})
	for rest := clip; err == nil && len(rest) > 0; {
		n := min(piece, len(rest))
		err = stream.Send(&gatewayv1.TranscribeRequest{Payload: &gatewayv1.TranscribeRequest_Audio{Audio: rest[:n]}})
		rest = rest[n:]
	}
	return stream.CloseAndRecv()
}

func (s *server) recognize(ctx context.Context, cfg *gatewayv1.TranscriptionConfig, clip []byte) (*gatewayv1.RecognizeResponse, error) {
	return s.models.Recognize(ctx, &gatewayv1.RecognizeRequest{Config: cfg, Audio: clip}, grpc.MaxCallSendMsgSize(largeMessages))
}

func (s *server) pronounce(ctx context.Context, format *gatewayv1.AudioFormat, clip []byte, text string) (*gatewayv1.PronunciationResponse, error) {
	return s.models.Pronunciation(ctx, &gatewayv1.PronunciationRequest{Format: format, Audio: clip, ReferenceText: text},
		grpc.MaxCallSendMsgSize(largeMessages))
}

// pcmFormat returns the format of raw 16-bit mono samples.
func pcmFormat(rate int32) *gatewayv1.AudioFormat {
	return &gatewayv1.AudioFormat{Encoding: gatewayv1.AudioEncoding_AUDIO_ENCODING_PCM_S16LE, SampleRateHertz: rate}
}

// tone returns a voice-like sound in raw 16-bit mono samples: a pulse train of
// varying loudness. An amplitude above 1 clips.
func tone(rate int, seconds, amplitude float64) []byte {
	out := make([]byte, 0, 2*int(float64(rate)*seconds))
	for i := range int(float64(rate) * seconds) {
		at := float64(i) / float64(rate)
		v := 0.0
		for harmonic := 1.0; harmonic < 12; harmonic++ {
			v += math.Sin(2*math.Pi*120*harmonic*at) / harmonic
		}
		v *= amplitude * (0.6 + 0.4*math.Sin(2*math.Pi*3*at)) / 2
		out = binary.LittleEndian.AppendUint16(out, uint16(int16(math.Round(32767*max(-1, min(1, v)))))) //nolint:gosec // two's complement is intended
	}
	return out
}

// longTone returns a tone of a number of times ten seconds.
func longTone(rate, tens int) []byte { return bytes.Repeat(tone(rate, 10, 0.5), tens) }

// wav adds a header to raw samples.
func wav(rate int, pcm []byte) []byte {
	return append(audio.WAVHeader(rate, int64(len(pcm))), pcm...)
}

// exchange sends a body over HTTP and returns the response.
func (s *server) exchange(t *testing.T, path, contentType, accept string, body []byte) (*http.Response, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(within(t, patience), http.MethodPost, s.http+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	if accept != "" {
		req.Header.Set("Accept", accept)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, data
}

// message decodes a JSON response and checks its status.
func message[M proto.Message](t *testing.T, resp *http.Response, body []byte, into M) M {
	t.Helper()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %s", resp.Request.URL.Path, resp.Status, body)
	}
	if err := protojson.Unmarshal(body, into); err != nil {
		t.Fatalf("%s: %v in %s", resp.Request.URL.Path, err, body)
	}
	return into
}

// checkServedBy expects that the primary model of a task answered.
func checkServedBy(t *testing.T, what string, by *gatewayv1.ServedBy, model string) {
	t.Helper()
	if by.GetModel() != model || by.GetEngine() != model || by.GetFallback() || by.GetInferenceDuration().AsDuration() <= 0 {
		t.Errorf("%s was served by %v, want %s and the duration", what, by, model)
	}
}

// same compares answers without served_by.
func same(t *testing.T, what string, got, want proto.Message) {
	t.Helper()
	if !proto.Equal(got, want) {
		t.Errorf("%s differs:\n%v\nwant\n%v", what, got, want)
	}
}

// life has the process that runs a model, and the number of its loads.
type life struct {
	pid   int32
	loads int64
}

func (s *server) life(t *testing.T, model string) life {
	t.Helper()
	m := s.model(t, model)
	return life{m.GetWorkerPid(), m.GetLoadCount()}
}

func (l life) String() string { return fmt.Sprintf("process %d, load %d", l.pid, l.loads) }
