package servertest

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// Within returns a context for one call.
func Within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// Eventually polls until done reports true, for conditions that have no event.
func Eventually(t *testing.T, done func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	timeout := time.After(20 * time.Second)
	for !done() {
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatal("the condition did not become true within 20 s")
		}
	}
}

// UserMessage returns a conversation of one message.
func UserMessage(text string) []*gatewayv1.ChatMessage {
	return []*gatewayv1.ChatMessage{{Role: gatewayv1.Role_ROLE_USER, Content: text}}
}

// Get sends a GET and returns the answer with its body.
func (r *Running) Get(t *testing.T, path string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(Within(t, time.Minute), http.MethodGet, r.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return Do(t, req)
}

// Post sends JSON, with headers in pairs, and returns the answer with its body.
func (r *Running) Post(t *testing.T, path, body string, header ...string) (*http.Response, string) {
	t.Helper()
	return r.Send(t, path, strings.NewReader(body), append([]string{"Content-Type", "application/json"}, header...)...)
}

// Send posts a body, with headers in pairs, and returns the answer with its
// body. An io.MultiReader hides the length of the request.
func (r *Running) Send(t *testing.T, path string, body io.Reader, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(Within(t, time.Minute), http.MethodPost, r.URL+path, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return Do(t, req)
}

// Do sends a request and returns the answer with its body.
func Do(t *testing.T, req *http.Request) (*http.Response, string) {
	t.Helper()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(text)
}

// Dial opens a connection to the HTTP server and writes a request, in which "\n"
// stands for "\r\n".
func (r *Running) Dial(t *testing.T, request string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", r.HTTPAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, strings.ReplaceAll(request, "\n", "\r\n")); err != nil {
		t.Fatal(err)
	}
	return conn
}

// Model returns the state of a model.
func (r *Running) Model(t *testing.T, name string) *gatewayv1.Model {
	t.Helper()
	resp, err := r.Admin.GetModel(Within(t, 10*time.Second), &gatewayv1.GetModelRequest{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	return resp.GetModel()
}

// ActiveRequests returns how many requests use the model qwen.
func (r *Running) ActiveRequests(t *testing.T) int32 {
	t.Helper()
	return r.Model(t, "qwen").GetActiveCount()
}

// Synthesize returns the samples of a text, over gRPC.
func (r *Running) Synthesize(t *testing.T, text string) (pcm []byte) {
	t.Helper()
	stream, err := r.Chat.Synthesize(Within(t, time.Minute), &gatewayv1.SynthesizeRequest{Input: &gatewayv1.SynthesizeRequest_Text{Text: text}})
	for err == nil {
		var m *gatewayv1.SynthesizeResponse
		m, err = stream.Recv()
		pcm = append(pcm, m.GetAudio()...)
	}
	if !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	return pcm
}

// Zeros returns n zero bytes.
func Zeros(n int64) io.Reader { return io.LimitReader(zeros{}, n) }

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
