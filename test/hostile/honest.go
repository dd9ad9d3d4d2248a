package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/lexilingo/modelgateway/engines/audio"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

const (
	sentence = "The black cat sat on the old mat."
	// pieceTime is how much sound a microphone sends at once.
	pieceTime = 100 * time.Millisecond
)

// honest is a client as an application has one: it chats, has texts corrected,
// speaks and listens, each at a steady pace, one request of a kind at a time.
type honest struct {
	models gatewayv1.ModelGatewayServiceClient
	http   *http.Client
	url    string
	clip   []byte // recorded speech: 16-bit samples
	rate   int
	close  func()

	mu    sync.Mutex
	times map[string]series
	// failed are the errors of requests, and open the models whose breaker did not
	// let requests through.
	failed, open []string
}

// newHonest returns a client that has used each model once, so that all are loaded.
func newHonest(ctx context.Context, s *server) (*honest, error) {
	d := dialerFrom(honestAddress)
	conn, err := grpc.NewClient(s.grpc, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithContextDialer(d.dial))
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{DialContext: d.dialContext}
	h := &honest{
		models: gatewayv1.NewModelGatewayServiceClient(conn), http: &http.Client{Transport: transport}, url: "http://" + s.http,
		close: func() {
			transport.CloseIdleConnections()
			_ = conn.Close()
		},
	}
	for _, kind := range append([]requestKind{{name: "record", do: h.record}}, h.kinds()...) {
		if _, err := kind.time(ctx); err != nil {
			return nil, fmt.Errorf("%s, before any attack: %w", kind.name, err)
		}
	}
	_, err = h.models.Pronunciation(ctx, &gatewayv1.PronunciationRequest{Audio: h.wav(), ReferenceText: sentence})
	return h, err
}

// requestKind is a request that the client repeats.
type requestKind struct {
	name  string
	every time.Duration
	do    func(context.Context) error
	spent func() time.Duration // of the time of do, what is not a wait; nil for none
}

// time makes a request and returns how long the client waited for its answer.
func (k requestKind) time(ctx context.Context) (time.Duration, error) {
	start := time.Now()
	err := k.do(ctx)
	took := time.Since(start)
	if k.spent != nil {
		took -= k.spent()
	}
	return took, err
}

func (h *honest) kinds() []requestKind {
	return []requestKind{
		{"status", 100 * time.Millisecond, h.status, nil},
		{"chat", 700 * time.Millisecond, h.chat, nil},
		{"grammar", 1100 * time.Millisecond, h.grammar, nil},
		{"synthesize", 1900 * time.Millisecond, h.synthesize, nil},
		{"transcribe", 3700 * time.Millisecond, h.transcribe, nil},
		{"live", 7 * time.Second, h.live, h.speaking},
	}
}

// work makes requests for some time and waits for the last answers. It returns the
// times of the answers by kind.
func (h *honest) work(ctx context.Context, length time.Duration) map[string]series {
	h.mu.Lock()
	h.times = map[string]series{}
	h.mu.Unlock()
	var kinds sync.WaitGroup
	end := time.Now().Add(length)
	for _, k := range h.kinds() {
		kinds.Go(func() {
			for next := time.Now(); next.Before(end) && ctx.Err() == nil; {
				took, err := k.time(ctx)
				h.ended(k.name, took, err)
				next = next.Add(max(k.every, time.Since(next)))
				time.Sleep(time.Until(next)) // the pace of the client
			}
		})
	}
	kinds.Wait()
	return h.times
}

func (h *honest) ended(kind string, took time.Duration, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err != nil {
		h.failed = append(h.failed, fmt.Sprintf("%s: %v", kind, err))
		return
	}
	h.times[kind] = append(h.times[kind], took)
}

func (h *honest) status(ctx context.Context) error {
	st, err := h.models.Status(ctx, &gatewayv1.StatusRequest{})
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, m := range st.GetModels() {
		if m.GetBreaker().GetState() != gatewayv1.BreakerState_BREAKER_STATE_CLOSED && !slices.Contains(h.open, m.GetName()) {
			h.open = append(h.open, m.GetName())
		}
	}
	return err
}

func (h *honest) chat(ctx context.Context) error {
	most := int32(24)
	_, err := h.models.Chat(ctx, &gatewayv1.ChatRequest{
		Messages: []*gatewayv1.ChatMessage{{Role: gatewayv1.Role_ROLE_USER, Content: "What colour is the sky?"}},
		Sampling: &gatewayv1.SamplingOptions{Temperature: new(float32), MaxTokens: &most},
	})
	return err
}

// grammar goes over REST.
func (h *honest) grammar(ctx context.Context) error {
	return h.post(ctx, "/v1/grammar", "application/json", strings.NewReader(`{"text":"She go to school yesterday."}`))
}

func (h *honest) synthesize(ctx context.Context) error {
	stream, err := h.models.Synthesize(ctx, &gatewayv1.SynthesizeRequest{Input: &gatewayv1.SynthesizeRequest_Text{Text: sentence}})
	for err == nil {
		_, err = stream.Recv()
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// record makes the speech that the client sends.
func (h *honest) record(ctx context.Context) error {
	stream, err := h.models.Synthesize(ctx, &gatewayv1.SynthesizeRequest{Input: &gatewayv1.SynthesizeRequest_Text{Text: sentence}})
	for err == nil {
		var piece *gatewayv1.SynthesizeResponse
		piece, err = stream.Recv()
		h.clip = append(h.clip, piece.GetAudio()...)
		h.rate = max(h.rate, int(piece.GetSampleRateHertz()))
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

func (h *honest) wav() []byte { return append(audio.WAVHeader(h.rate, int64(len(h.clip))), h.clip...) }

// transcribe sends a recording over HTTP.
func (h *honest) transcribe(ctx context.Context) error {
	return h.post(ctx, "/v1/transcribe?language=en", "audio/wav", bytes.NewReader(h.wav()))
}

func (h *honest) post(ctx context.Context, path, contentType string, body io.Reader) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", contentType)
	resp, err := h.http.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && (resp.StatusCode != http.StatusOK || !json.Valid(answer)) {
		err = fmt.Errorf("%s: %.300s", resp.Status, answer)
	}
	return err
}

// speaking is how long live speaks.
func (h *honest) speaking() time.Duration {
	return time.Duration(len(h.clip)/2) * time.Second / time.Duration(h.rate)
}

// live speaks into a stream at the speed of speech.
func (h *honest) live(ctx context.Context) error {
	stream, err := h.models.StreamTranscribe(ctx)
	if err != nil {
		return err
	}
	// If a send fails, the answer says why.
	_ = stream.Send(&gatewayv1.StreamTranscribeRequest{Payload: &gatewayv1.StreamTranscribeRequest_Config{Config: &gatewayv1.TranscriptionConfig{
		Language: "en", InterimResults: true,
		Format: &gatewayv1.AudioFormat{Encoding: gatewayv1.AudioEncoding_AUDIO_ENCODING_PCM_S16LE, SampleRateHertz: int32(h.rate)}, //nolint:gosec // some kHz
	}}})
	go func() {
		tick := time.NewTicker(pieceTime)
		defer tick.Stop()
		for piece := range slices.Chunk(h.clip, 2*h.rate*int(pieceTime/time.Millisecond)/1000) {
			_ = stream.Send(&gatewayv1.StreamTranscribeRequest{Payload: &gatewayv1.StreamTranscribeRequest_Audio{Audio: piece}})
			<-tick.C
		}
		_ = stream.CloseSend()
	}()
	for err == nil {
		_, err = stream.Recv()
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
