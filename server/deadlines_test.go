package server

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// slowChat is a chat of about 6 ms, if the machine is quiet.
const slowChat = `fault: {"token_count": 20, "token_interval_us": 300}`

// Callers whose deadlines pass, or who leave, on whatever surface, say nothing of
// the model: they do not open its breaker, which one failure would open here, and
// its worker lives on.
func TestCallersThatLeaveDoNotOpenTheBreaker(t *testing.T) {
	r := start(t, speechModels+"breaker: {failures: 1}\nlimits: {slow_reader_timeout: 200ms, max_resets: 100000}\n")
	load(t, r, "qwen", true)
	for _, c := range []struct {
		name  string
		count int
		stay  time.Duration             // at most
		leave func(ctx context.Context) // ctx ends soon
	}{
		{"slow readers", 2, time.Minute, func(context.Context) {
			ctx, leave := context.WithCancel(t.Context())
			defer leave()
			stream, err := r.chat.StreamChat(ctx, &gatewayv1.StreamChatRequest{Messages: say(`fault: {"fault":"flood_response","fault_after_tokens":1}`)})
			if err != nil {
				return
			}
			// The headers come with the first message. The others are not read.
			_, _ = stream.Header()
			eventually(t, func() bool { return activeRequests(t, r) == 0 })
		}},
		{"deadlines and cancels of gRPC", 10_000, 12 * time.Millisecond, func(ctx context.Context) {
			if rand.IntN(2) == 0 {
				limited, cancel := context.WithCancel(context.WithoutCancel(ctx))
				defer context.AfterFunc(ctx, cancel)()
				defer cancel()
				ctx = limited
			}
			_ = chatOf("qwen", slowChat)(ctx, r)
		}},
		{"time-outs of REST", 500, 12 * time.Millisecond, func(ctx context.Context) {
			call(ctx, r, "/v1/chat", chatBody("qwen", slowChat).body, "Grpc-Timeout", "5m")
		}},
		{"connections of REST", 500, 12 * time.Millisecond, func(ctx context.Context) {
			call(ctx, r, "/v1/chat:stream", chatBody("qwen", slowChat).body)
		}},
		{"uploads", 300, 60 * time.Millisecond, func(ctx context.Context) {
			body, upload := io.Pipe()
			defer context.AfterFunc(ctx, func() { _ = upload.CloseWithError(io.ErrClosedPipe) })()
			go func() { _, _ = upload.Write(make([]byte, 1000)) }()
			req, _ := http.NewRequestWithContext(ctx, http.MethodPost, r.http+"/v1/transcribe", body)
			req.Header.Set("Content-Type", "application/octet-stream")
			do(req)
		}},
		{"sessions", 300, 60 * time.Millisecond, func(ctx context.Context) {
			stream, err := r.chat.OpenTranscription(ctx, &gatewayv1.OpenTranscriptionRequest{Config: &gatewayv1.TranscriptionConfig{}})
			if err != nil {
				return
			}
			first, _ := stream.Recv()
			_, _ = r.chat.PushAudio(ctx, &gatewayv1.PushAudioRequest{SessionId: first.GetSessionId(), Audio: []byte("ab")})
			<-ctx.Done()
		}},
		{"WebSockets", 300, 60 * time.Millisecond, func(ctx context.Context) {
			socket, _, err := websocket.DefaultDialer.DialContext(ctx, "ws"+strings.TrimPrefix(r.http, "http")+"/v1/transcribe/ws", nil)
			if err != nil {
				return
			}
			_ = socket.WriteMessage(websocket.BinaryMessage, make([]byte, 1000))
			<-ctx.Done()
			_ = socket.Close()
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var left atomic.Int32
			left.Store(int32(c.count)) //nolint:gosec // small
			var clients sync.WaitGroup
			for range 16 {
				clients.Go(func() {
					for left.Add(-1) >= 0 {
						ctx, cancel := context.WithTimeout(t.Context(), rand.N(c.stay))
						c.leave(ctx)
						cancel()
					}
				})
			}
			clients.Wait()
			got, err := r.admin.GetModel(within(t, time.Minute), &gatewayv1.GetModelRequest{Name: "qwen"})
			if err != nil {
				t.Fatal(err)
			}
			if b := got.GetModel().GetBreaker(); b.GetConsecutiveFailureCount() != 0 || b.GetState() != gatewayv1.BreakerState_BREAKER_STATE_CLOSED {
				t.Errorf("%v", b)
			}
			if got.GetModel().GetLoadCount() != 1 {
				t.Errorf("%v", got.GetModel())
			}
		})
	}
	if log := r.logs.String(); strings.Contains(log, "circuit breaker") {
		t.Error("the breaker opened")
	}
}

// call sends a JSON request, with headers in pairs, and reads the answer.
func call(ctx context.Context, r *running, path, body string, header ...string) {
	req, _ := http.NewRequestWithContext(ctx, http.MethodPost, r.http+path, bytes.NewReader([]byte(body)))
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	do(req)
}

// do sends a request and reads the answer, as far as it comes.
func do(req *http.Request) {
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
}
