package e2e

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// oneCore has models of the same priority for whose threads there are not enough
// cores: only one model can be at work.
const oneCore = `
cpu_threads: 1
models:
  qwen: {engine: llama, path: "starter:chat.gguf", memory_mb: 256}
  whisper: {engine: whisper, path: "starter:whisper.bin", memory_mb: 500, parameters: {temperature_inc: 0}}
  piper: {engine: piper, path: "starter:voice.onnx", memory_mb: 128}
  hubert: {engine: hubert, path: "starter:pronunciation.onnx", memory_mb: 1000, parameters: {max_seconds: 600}}
tasks:
  chat: {primary: qwen}
  transcribe: {primary: whisper}
  synthesize: {primary: piper}
  pronunciation: {primary: hubert}
`

// shortChat asks for a short answer.
func shortChat(ctx context.Context, s *server) error {
	_, err := s.models.Chat(ctx, &gatewayv1.ChatRequest{Messages: user("Hello"), Sampling: greedy(16)})
	return err
}

// Long work of any engine leaves the cores to short requests of another model before
// it ends. Neither has a priority. If each short request had to wait for the end of a
// long one, as many of these would end.
func TestLongWorkYieldsTheCores(t *testing.T) {
	const requests = 20
	shortSpeech := func(ctx context.Context, s *server) error {
		_, err := s.synthesize(ctx, quiet("Hello."))
		return err
	}
	minutes := wav(8000, longTone(8000, 60))
	for name, c := range map[string]struct {
		model string
		long  func(ctx context.Context, s *server) error
		short func(ctx context.Context, s *server) error
	}{
		"a long recording": {"whisper", func(ctx context.Context, s *server) error {
			_, err := s.recognize(ctx, &gatewayv1.TranscriptionConfig{Language: "en", BeamSize: 8}, minutes)
			return err
		}, shortChat},
		"a long text": {"piper", func(ctx context.Context, s *server) error {
			_, err := s.synthesize(ctx, quiet(strings.Repeat(sentences+" ", 2000)))
			return err
		}, shortChat},
		"a long exercise": {"hubert", func(ctx context.Context, s *server) error {
			_, err := s.pronounce(ctx, nil, minutes, strings.Repeat("hello ", 300))
			return err
		}, shortChat},
		"a long answer": {"qwen", func(ctx context.Context, s *server) error {
			stream, err := s.models.StreamChat(ctx, endless(7000))
			for err == nil {
				_, err = stream.Recv()
			}
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}, shortSpeech},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, oneCore)
			if err := c.short(within(t, patience), s); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(within(t, patience))
			defer cancel()
			var ended atomic.Int32
			failed := make(chan error, 1)
			go func() {
				for {
					if err := c.long(ctx, s); err != nil {
						failed <- err
						return
					}
					if ended.Add(1) > requests/4 {
						cancel()
					}
				}
			}()
			eventually(t, patience, "the long work has begun", func() bool { return s.model(t, c.model).GetActiveCount() == 1 })
			for range requests {
				if err := c.short(ctx, s); err != nil {
					t.Fatalf("%v; meanwhile %d pieces of long work have ended", err, ended.Load())
				}
			}
			cancel()
			if err := <-failed; errs.ReasonOf(err) != errs.Cancelled {
				t.Errorf("the long work failed with %v", err)
			}
		})
	}
}

// Long work comes to its end, with the same result as alone, beside short requests
// that never stop.
func TestLongWorkEndsBesideShortRequests(t *testing.T) {
	s := start(t, oneCore)
	clip := wav(16000, s.say(t, strings.Repeat(sentences+" ", 5)).pcm)
	config := &gatewayv1.TranscriptionConfig{Language: "en", BeamSize: 8}
	alone, err := s.recognize(within(t, patience), config, clip)
	if err != nil {
		t.Fatal(err)
	}
	type answer struct {
		resp *gatewayv1.RecognizeResponse
		err  error
	}
	ended := make(chan answer, 1)
	go func() {
		resp, err := s.recognize(within(t, patience), config, clip)
		ended <- answer{resp, err}
	}()
	for chats := 0; ; chats++ {
		if err := shortChat(within(t, patience), s); err != nil {
			t.Fatal(err)
		}
		select {
		case got := <-ended:
			if got.err != nil {
				t.Fatal(got.err)
			}
			same(t, "beside chats", got.resp.GetTranscript(), alone.GetTranscript())
			t.Logf("%d chats; inference took %v, alone %v", chats+1,
				got.resp.GetServedBy().GetInferenceDuration().AsDuration(), alone.GetServedBy().GetInferenceDuration().AsDuration())
			return
		default:
		}
	}
}
