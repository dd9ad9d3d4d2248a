package e2e

import (
	"context"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// endless is a request whose answer has thousands of tokens: negative penalties
// make the model repeat itself.
func endless(tokens int32) *gatewayv1.StreamChatRequest {
	return &gatewayv1.StreamChatRequest{
		Messages: user("Hello. " + strings.Repeat("I am fine. ", 8)),
		Sampling: &gatewayv1.SamplingOptions{
			Temperature: new(float32), MaxTokens: &tokens,
			PresencePenalty: ptr(float32(-2)), FrequencyPenalty: ptr(float32(-2)),
		},
	}
}

func ptr[T any](v T) *T { return &v }

// midStream starts a long answer and reads its first piece.
func midStream(t *testing.T, s *server) gatewayv1.ModelGatewayService_StreamChatClient {
	t.Helper()
	stream, err := s.models.StreamChat(within(t, patience), endless(7000))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	return stream
}

// wantAtWork fails the test unless the model is serving that many requests. It
// makes sure that a stream has not ended before the fault.
func wantAtWork(t *testing.T, s *server, model string, n int32) {
	t.Helper()
	if got := s.model(t, model).GetActiveCount(); got != n {
		t.Fatalf("model %[2]s serves %[1]d requests, want %[3]d", got, model, n)
	}
}

// end reads a stream to its end and returns its error.
func end(stream gatewayv1.ModelGatewayService_StreamChatClient) error {
	for {
		if _, err := stream.Recv(); err != nil {
			return err
		}
	}
}

// healthStatus returns the status of a model in /health.
func healthStatus(t *testing.T, s *server, model string) string {
	t.Helper()
	resp, err := http.Get(s.http + "/health")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	got := decode[struct {
		GatewayStatus struct {
			Models map[string]struct{ Status string }
		} `json:"gateway_status"`
	}](t, string(data))
	return got.GatewayStatus.Models[model].Status
}

// oneChat configures the starter's model for chat only.
const oneChat = `
models:
  qwen: {engine: llama, path: "starter:chat.gguf", memory_mb: 256, progress_timeout: PROGRESS}
tasks:
  chat: {primary: qwen}
`

func TestWorkerKilledInMidStream(t *testing.T) {
	s := start(t, "")
	stream := midStream(t, s)
	pid := int(s.model(t, "qwen").GetWorkerPid())
	// Stopped first, so that the answer cannot end before the kill.
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	wantAtWork(t, s, "qwen", 1)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	killed := time.Now()
	if err := end(stream); errs.ReasonOf(err) != errs.EngineCrashed {
		t.Errorf("the stream ended with %v, want ENGINE_CRASHED", err)
	}
	t.Logf("the stream ended %v after the kill", time.Since(killed))
	eventually(t, patience, "/health reports it", func() bool { return healthStatus(t, s, "qwen") != "ready" })
	answer, err := s.models.Chat(t.Context(), &gatewayv1.ChatRequest{Messages: user("Hello"), Sampling: greedy(4)})
	if err != nil {
		t.Fatalf("the next request: %v", err)
	}
	if now := int(s.model(t, "qwen").GetWorkerPid()); now == pid || answer.GetServedBy().GetLoadDuration().AsDuration() == 0 {
		t.Errorf("served by process %d, want a new one", now)
	}
	eventually(t, patience, "/health reports the new worker", func() bool { return healthStatus(t, s, "qwen") == "ready" })
}

func TestKilledServerLeavesNoWorker(t *testing.T) {
	s := start(t, "")
	midStream(t, s)
	pid := int(s.model(t, "qwen").GetWorkerPid())
	if err := s.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	eventually(t, patience, "the worker ends with the server", func() bool { return !alive(pid) })
}

func TestStoppedWorkerIsReplaced(t *testing.T) {
	s := start(t, strings.Replace(oneChat, "PROGRESS", "5s", 1))
	midStream(t, s)
	pid := int(s.model(t, "qwen").GetWorkerPid())
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	wantAtWork(t, s, "qwen", 1)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err := s.models.Chat(ctx, &gatewayv1.ChatRequest{Messages: user("Hello")})
	if got := errs.ReasonOf(err); got != errs.DeadlineExceeded && alive(pid) {
		t.Errorf("a request to a stopped worker ended with %v, want DEADLINE_EXCEEDED", err)
	}
	eventually(t, patience, "the stopped worker is ended", func() bool { return !alive(pid) })
	if _, err := s.models.Chat(t.Context(), &gatewayv1.ChatRequest{Messages: user("Hello"), Sampling: greedy(4)}); err != nil {
		t.Errorf("the next request: %v", err)
	}
}
