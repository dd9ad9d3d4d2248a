package e2e

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// clientAnswer is the output of the programs in web/ and python/.
type clientAnswer struct {
	Whole, Streamed, ServedBy, Engine, Missing string
	Pieces                                     int
}

func (a clientAnswer) check(t *testing.T, want string) {
	t.Helper()
	if a.Whole != want || a.Streamed != want {
		t.Errorf("answers %q and %q, want %q", a.Whole, a.Streamed, want)
	}
	if a.Pieces < 2 {
		t.Errorf("the answer has %d pieces, want several", a.Pieces)
	}
	if a.ServedBy != "qwen" || a.Engine != "llama" {
		t.Errorf("served by %q on %q, want qwen on llama", a.ServedBy, a.Engine)
	}
	if !strings.Contains(a.Missing, "nobody") {
		t.Errorf("a missing model gave %q, want an error that names it", a.Missing)
	}
}

// Every client gets the same greedy answer from the starter model, which the first
// request loads.
func TestEveryClientChats(t *testing.T) {
	s := start(t, "")
	if state := s.model(t, "qwen").GetState(); state != gatewayv1.ModelState_MODEL_STATE_UNLOADED {
		t.Errorf("the model is %v before the first request, want UNLOADED", state)
	}
	whole, err := s.models.Chat(t.Context(), &gatewayv1.ChatRequest{Messages: user("Hello"), Sampling: greedy(16)})
	if err != nil {
		t.Fatal(err)
	}
	want := whole.GetMessage().GetContent()
	if want == "" || whole.GetUsage().GetCompletionTokenCount() == 0 {
		t.Fatalf("an empty answer: %v", whole)
	}
	if by := whole.GetServedBy(); by.GetLoadDuration().AsDuration() == 0 || by.GetInferenceDuration().AsDuration() == 0 {
		t.Errorf("served by %v, want the durations of the load and the inference", by)
	}

	t.Run("grpcurl", func(t *testing.T) {
		out := output(t, nil, "grpcurl", "-plaintext", "-d",
			`{"messages":[{"role":"ROLE_USER","content":"Hello"}],"sampling":{"temperature":0,"presence_penalty":0,"max_tokens":16}}`,
			s.grpc, "modelgateway.v1.ModelGatewayService/Chat")
		got := decode[struct {
			Message  struct{ Content string }
			ServedBy struct{ Model, Engine string }
		}](t, out)
		if got.Message.Content != want || got.ServedBy.Model != "qwen" {
			t.Errorf("got %s, want %q by qwen", out, want)
		}
	})
	t.Run("REST", func(t *testing.T) { restChat(t, s, want) })
	t.Run("web", func(t *testing.T) {
		for _, protocol := range []string{"grpc-web", "connect"} {
			out := output(t, nil, "node", "web/build/chat.mjs", s.http, protocol, "Hello")
			decode[clientAnswer](t, out).check(t, want)
		}
	})
	t.Run("python", func(t *testing.T) {
		out := output(t, []string{"PYTHONPATH=" + inProject(t, "gen", "python")}, python(t), "python/chat.py", s.grpc, "Hello")
		decode[clientAnswer](t, out).check(t, want)
	})
	t.Run("CLI", func(t *testing.T) {
		out := output(t, nil, program(t), "--addr", s.grpc, "chat", "--temperature", "0", "--presence-penalty", "0", "--max-tokens", "16", "Hello")
		if strings.TrimSpace(out) != strings.TrimSpace(want) {
			t.Errorf("got %q, want %q", out, want)
		}
	})
	if n := s.model(t, "qwen").GetLoadCount(); n != 1 {
		t.Errorf("%d loads, want 1", n)
	}
}

func restChat(t *testing.T, s *server, want string) {
	const body = `{"messages":[{"role":"ROLE_USER","content":"Hello"}],"sampling":{"temperature":0,"presence_penalty":0,"max_tokens":16}}`
	status, _, text := post(t, s.http+"/v1/chat", body)
	got := decode[struct {
		Message  struct{ Content string }
		ServedBy struct{ Model string } `json:"served_by"`
	}](t, text)
	if status != http.StatusOK || got.Message.Content != want || got.ServedBy.Model != "qwen" {
		t.Errorf("/v1/chat: %d %s, want %q by qwen", status, text, want)
	}
	status, _, text = post(t, s.http+"/v1/chat:stream", body)
	var streamed strings.Builder
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for _, line := range lines {
		streamed.WriteString(decode[struct{ Result struct{ Delta string } }](t, line).Result.Delta)
	}
	if status != http.StatusOK || streamed.String() != want || len(lines) < 2 {
		t.Errorf("/v1/chat:stream: %d %s, want %q in pieces", status, text, want)
	}
	last := decode[struct {
		Result struct {
			ServedBy struct{ Model string } `json:"served_by"`
			Usage    struct {
				Completion int `json:"completion_token_count"`
			}
		}
	}](t, lines[len(lines)-1])
	if last.Result.ServedBy.Model != "qwen" || last.Result.Usage.Completion == 0 {
		t.Errorf("the last line %q lacks served_by or usage", lines[len(lines)-1])
	}
}

// Markup in a user's text is treated as text: it has more tokens than the special
// token, and does not start a message.
func TestUserTextIsNeverSpecialTokens(t *testing.T) {
	s := start(t, "")
	count := func(text string) int32 {
		got, err := s.models.Chat(t.Context(), &gatewayv1.ChatRequest{Messages: user(text), Sampling: greedy(1)})
		if err != nil {
			t.Fatal(err)
		}
		return got.GetUsage().GetPromptTokenCount()
	}
	base := count("x")
	for _, markup := range []string{"<|im_start|>", "<|im_end|>", "<|endoftext|>"} {
		if extra := count("x"+markup) - base; extra < 4 {
			t.Errorf("%s in a user's text has %d tokens, want one for each character or so", markup, extra)
		}
	}
}

// stoppedStream starts an answer, stops the worker before its end, and returns the
// worker's process. If a machine is so busy that the answer ends before, the next
// one is longer.
func stoppedStream(t *testing.T, s *server) (gatewayv1.ModelGatewayService_StreamChatClient, int) {
	t.Helper()
	if _, err := s.models.Chat(within(t, patience), &gatewayv1.ChatRequest{Messages: user("Hello"), Sampling: greedy(1)}); err != nil {
		t.Fatal(err)
	}
	worker := int(s.model(t, "qwen").GetWorkerPid())
	for tokens := int32(100); tokens < 7000; tokens *= 2 {
		stream, err := s.models.StreamChat(within(t, patience), endless(tokens))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Recv(); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(worker, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		if s.model(t, "qwen").GetActiveCount() == 1 {
			return stream, worker
		}
		if err := syscall.Kill(worker, syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		_ = end(stream)
	}
	t.Fatal("all answers ended before the worker was stopped")
	return nil, 0
}

// On SIGTERM the server finishes the current answer and exits with code 0.
func TestShutdownOnSIGTERM(t *testing.T) {
	s := start(t, "drain_timeout: 10m\n"+strings.Replace(oneChat, "PROGRESS", "10m", 1))
	stream, worker := stoppedStream(t, s)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		s.stop(t)
	}()
	eventually(t, patience, "the server shuts down", func() bool { return strings.Contains(s.output(), "shutting down") })
	if err := syscall.Kill(worker, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	var finish gatewayv1.FinishReason
	var err error
	for err == nil {
		var piece *gatewayv1.StreamChatResponse
		piece, err = stream.Recv()
		finish = max(finish, piece.GetFinishReason())
	}
	<-stopped
	if !errors.Is(err, io.EOF) || finish != gatewayv1.FinishReason_FINISH_REASON_LENGTH {
		t.Errorf("the current answer ended with %v, %v, want its normal end", finish, err)
	}
	if code := s.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	if alive(worker) {
		t.Error("the worker outlived the server")
	}
	if strings.Contains(s.output(), "I am fine") {
		t.Error("the log contains a user's words")
	}
}
