package server

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

func TestSpeechTasks(t *testing.T) {
	r := start(t, speechModels)
	ctx := within(t, time.Minute)
	clip := make([]byte, 5<<20)

	recognized, err := r.chat.Recognize(ctx, &gatewayv1.RecognizeRequest{Audio: clip})
	if err != nil || recognized.GetTranscript().GetText() != "5242880 bytes" || recognized.GetServedBy().GetModel() != "qwen" {
		t.Errorf("Recognize: %v, %v", recognized, err)
	}

	up, err := r.chat.Transcribe(ctx)
	if err != nil {
		t.Fatal(err)
	}
	messages := []*gatewayv1.TranscribeRequest{
		{Payload: &gatewayv1.TranscribeRequest_Config{Config: &gatewayv1.TranscriptionConfig{}}},
		{Payload: &gatewayv1.TranscribeRequest_Audio{Audio: make([]byte, 1000)}},
		{Payload: &gatewayv1.TranscribeRequest_Audio{Audio: make([]byte, 24)}},
	}
	for _, m := range messages {
		if err := up.Send(m); err != nil {
			t.Fatal(err)
		}
	}
	transcribed, err := up.CloseAndRecv()
	if err != nil || transcribed.GetTranscript().GetText() != "1024 bytes" {
		t.Errorf("Transcribe: %v, %v", transcribed, err)
	}

	both, err := r.chat.StreamTranscribe(ctx)
	if err != nil {
		t.Fatal(err)
	}
	send := func(m *gatewayv1.StreamTranscribeRequest) {
		if err := both.Send(m); err != nil {
			t.Fatal(err)
		}
	}
	send(&gatewayv1.StreamTranscribeRequest{Payload: &gatewayv1.StreamTranscribeRequest_Config{Config: &gatewayv1.TranscriptionConfig{InterimResults: true}}})
	send(&gatewayv1.StreamTranscribeRequest{Payload: &gatewayv1.StreamTranscribeRequest_Audio{Audio: make([]byte, 10)}})
	// An interim result comes while the sending side is open.
	if m, err := both.Recv(); err != nil || m.GetEvent().GetInterim().GetTentativeText() != "10 bytes" || m.GetServedBy() != nil {
		t.Fatalf("interim %v, %v", m, err)
	}
	if err := both.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if m, err := both.Recv(); err != nil || m.GetEvent().GetFinal().GetText() != "10 bytes" || m.GetServedBy().GetModel() != "qwen" {
		t.Errorf("final %v, %v", m, err)
	}
	if _, err := both.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("after the end %v", err)
	}

	speech, err := r.chat.Synthesize(ctx, &gatewayv1.SynthesizeRequest{Input: &gatewayv1.SynthesizeRequest_Text{Text: "one two"}})
	if err != nil {
		t.Fatal(err)
	}
	var samples, rate int
	var served *gatewayv1.ServedBy
	for m, err := speech.Recv(); err != io.EOF; m, err = speech.Recv() {
		if err != nil {
			t.Fatal(err)
		}
		samples, rate, served = samples+len(m.GetAudio())/2, max(rate, int(m.GetSampleRateHertz())), m.GetServedBy()
	}
	if samples != 3200 || rate != 16000 || served.GetModel() != "qwen" {
		t.Errorf("Synthesize: %d samples at %d, %v", samples, rate, served)
	}

	score, err := r.chat.Pronunciation(ctx, &gatewayv1.PronunciationRequest{Audio: clip, ReferenceText: "one two"})
	if err != nil || len(score.GetWords()) != 2 || score.GetServedBy().GetModel() != "qwen" {
		t.Errorf("Pronunciation: %v, %v", score, err)
	}
	respond, err := r.chat.Respond(ctx, &gatewayv1.RespondRequest{Text: "Hi"})
	if err != nil || respond.GetText() != "You said: Hi" || respond.GetServedBy().GetModel() != "qwen" {
		t.Errorf("Respond: %v, %v", respond, err)
	}
	_, metrics := r.get(t, "/metrics")
	if !strings.Contains(metrics, `modelgateway_audio_seconds_total{model="qwen",task="synthesize"} 0.2`) {
		t.Error("the metrics lack the speech")
	}
}

func TestSecondConfigIsRefused(t *testing.T) {
	r := start(t, speechModels)
	stream, err := r.chat.Transcribe(within(t, 20*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	config := &gatewayv1.TranscribeRequest{Payload: &gatewayv1.TranscribeRequest_Config{Config: &gatewayv1.TranscriptionConfig{}}}
	for range 2 {
		if err := stream.Send(config); err != nil {
			t.Fatal(err)
		}
	}
	_, err = stream.CloseAndRecv()
	checkStatus(t, err, codes.InvalidArgument, errs.InvalidRequest, false)
}

// push sends a piece and returns the next sequence number that the session expects.
func push(t *testing.T, r *running, session string, sequence int64, size int, last bool) (int64, error) {
	t.Helper()
	resp, err := r.chat.PushAudio(within(t, 10*time.Second), &gatewayv1.PushAudioRequest{
		SessionId: session, Sequence: sequence, Audio: make([]byte, size), Last: last,
	})
	return resp.GetNextSequence(), err
}

func open(t *testing.T, r *running, req *gatewayv1.OpenTranscriptionRequest) gatewayv1.ModelGatewayService_OpenTranscriptionClient {
	t.Helper()
	stream, err := r.chat.OpenTranscription(within(t, time.Minute), req)
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

func next(t *testing.T, stream gatewayv1.ModelGatewayService_OpenTranscriptionClient) *gatewayv1.OpenTranscriptionResponse {
	t.Helper()
	m, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestPushedAudioMayComeInAnyOrderAndTwice(t *testing.T) {
	r := start(t, speechModels)
	stream := open(t, r, &gatewayv1.OpenTranscriptionRequest{Config: &gatewayv1.TranscriptionConfig{}})
	session := next(t, stream).GetSessionId()
	for _, p := range []struct {
		sequence int64
		size     int
		last     bool
		expect   int64
	}{{1, 20, false, 0}, {0, 10, false, 2}, {0, 10, false, 2}, {3, 40, true, 2}, {3, 40, true, 2}, {2, 30, false, 4}} {
		if got, err := push(t, r, session, p.sequence, p.size, p.last); err != nil || got != p.expect {
			t.Errorf("piece %d: next %d, %v", p.sequence, got, err)
		}
	}
	final := next(t, stream)
	if final.GetEvent().GetFinal().GetText() != "100 bytes" || final.GetServedBy().GetModel() != "qwen" || final.GetEventSequence() != 1 {
		t.Errorf("final %v", final)
	}
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("after the end %v", err)
	}
	if _, err := push(t, r, session, 4, 1, false); errs.ReasonOf(err) != errs.SessionLost {
		t.Errorf("a push after the end: %v", err)
	}
}

func TestBrokenSessionIsReopened(t *testing.T) {
	r := start(t, speechModels)
	first := open(t, r, &gatewayv1.OpenTranscriptionRequest{Config: &gatewayv1.TranscriptionConfig{InterimResults: true}})
	session := next(t, first).GetSessionId()
	if _, err := push(t, r, session, 0, 10, false); err != nil {
		t.Fatal(err)
	}
	seen := next(t, first)
	if seen.GetEvent().GetInterim() == nil {
		t.Fatalf("%v", seen)
	}
	// The second stream replaces the first, as after a broken connection that the
	// server has not noticed.
	second := open(t, r, &gatewayv1.OpenTranscriptionRequest{SessionId: session, LastEventSequence: seen.GetEventSequence()})
	if m := next(t, second); m.GetSessionId() != session || m.GetNextAudioSequence() != 1 {
		t.Errorf("greeting %v", m)
	}
	if _, err := first.Recv(); status.Code(err) != codes.Canceled {
		t.Errorf("the first stream ended with %v", err)
	}
	if _, err := push(t, r, session, 1, 10, true); err != nil {
		t.Fatal(err)
	}
	for {
		m := next(t, second)
		if m.GetEventSequence() <= seen.GetEventSequence() {
			t.Errorf("event %d came again", m.GetEventSequence())
		}
		if final := m.GetEvent().GetFinal(); final != nil {
			if final.GetText() != "20 bytes" {
				t.Errorf("final %v", final)
			}
			break
		}
	}
	if _, err := second.Recv(); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
}

func TestSessionsRefuseInvalidPushes(t *testing.T) {
	r := start(t, speechModels)
	stream := open(t, r, &gatewayv1.OpenTranscriptionRequest{Config: &gatewayv1.TranscriptionConfig{}})
	session := next(t, stream).GetSessionId()
	if _, err := push(t, r, session, 256, 1, false); errs.ReasonOf(err) != errs.InvalidRequest {
		t.Errorf("beyond the window: %v", err)
	}
}

func TestOpenTranscriptionWithoutItsEngine(t *testing.T) {
	r := start(t, faultModels+"  transcribe: {primary: whisper}\n")
	stream := open(t, r, &gatewayv1.OpenTranscriptionRequest{Config: &gatewayv1.TranscriptionConfig{}})
	session := next(t, stream).GetSessionId()
	if _, err := push(t, r, session, 0, 10, false); err != nil {
		t.Fatal(err)
	}
	_, err := stream.Recv()
	checkStatus(t, err, codes.FailedPrecondition, errs.EngineUnavailable, false)
	// Errors that do not depend on the audio come at once.
	unknown := `{"config":{"model":"nobody"}}`
	resp, body := r.post(t, "/v1/transcriptions:open", unknown)
	checkHTTP(t, resp, body, 404, codes.NotFound, errs.ModelNotFound, false)
}

// A session whose client is gone keeps its lease until another request waits for
// the model, and not longer.
func TestAbandonedSessionGivesItsPlaceUp(t *testing.T) {
	r := start(t, strings.Replace(speechModels, "max_concurrency: 16", "max_concurrency: 1", 1))
	ctx, leave := context.WithCancel(t.Context())
	stream, err := r.chat.OpenTranscription(ctx, &gatewayv1.OpenTranscriptionRequest{Config: &gatewayv1.TranscriptionConfig{}})
	if err != nil {
		t.Fatal(err)
	}
	session := next(t, stream).GetSessionId()
	if _, err := push(t, r, session, 0, 10, false); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { return activeRequests(t, r) == 1 })
	leave()
	start := time.Now()
	for range 2 {
		if _, err := r.chat.Recognize(within(t, time.Minute), &gatewayv1.RecognizeRequest{Audio: make([]byte, 10)}); err != nil {
			t.Fatal(err)
		}
	}
	t.Log("the others were served after", time.Since(start))
	// The session is still known: it did not end because of its own timeout.
	again := open(t, r, &gatewayv1.OpenTranscriptionRequest{SessionId: session})
	if _, err := again.Recv(); errs.ReasonOf(err) != errs.QueueFull {
		t.Errorf("the session: %v", err)
	}
}
