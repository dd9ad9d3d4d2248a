package modelgateway_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	modelgateway "github.com/lexilingo/modelgateway/clients/go"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// recorder answers after it has failed a number of times, and notes what it got.
type recorder struct {
	gatewayv1.UnimplementedModelGatewayServiceServer
	fail    int
	failure error

	mu        sync.Mutex
	calls     int
	header    metadata.MD
	remaining time.Duration // to the deadline; 0 is none
	ended     chan struct{} // a stream has ended
}

func (r *recorder) call(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls++
	r.header, _ = metadata.FromIncomingContext(ctx)
	r.remaining = 0
	if deadline, ok := ctx.Deadline(); ok {
		r.remaining = time.Until(deadline)
	}
	if r.calls <= r.fail {
		return r.failure
	}
	return nil
}

func (r *recorder) Chat(ctx context.Context, _ *gatewayv1.ChatRequest) (*gatewayv1.ChatResponse, error) {
	return &gatewayv1.ChatResponse{}, r.call(ctx)
}

func (r *recorder) Invoke(ctx context.Context, _ *gatewayv1.InvokeRequest) (*gatewayv1.InvokeResponse, error) {
	return &gatewayv1.InvokeResponse{}, r.call(ctx)
}

func (r *recorder) Recognize(ctx context.Context, _ *gatewayv1.RecognizeRequest) (*gatewayv1.RecognizeResponse, error) {
	return &gatewayv1.RecognizeResponse{}, r.call(ctx)
}

// StreamChat sends two pieces, and then waits until the client is gone.
func (r *recorder) StreamChat(_ *gatewayv1.StreamChatRequest, stream gatewayv1.ModelGatewayService_StreamChatServer) error {
	if err := r.call(stream.Context()); err != nil {
		return err
	}
	defer close(r.ended)
	for range 2 {
		if err := stream.Send(&gatewayv1.StreamChatResponse{Delta: "x"}); err != nil {
			return err
		}
	}
	<-stream.Context().Done()
	return stream.Context().Err()
}

func record(t *testing.T, fail int, failure error) (*recorder, string) {
	t.Helper()
	r := &recorder{fail: fail, failure: failure, ended: make(chan struct{})}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	gatewayv1.RegisterModelGatewayServiceServer(server, r)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	return r, listener.Addr().String()
}

// failing returns the error that the server sends for a reason. after is its advice; 0
// is none.
func failing(t *testing.T, code codes.Code, reason string, after time.Duration) error {
	t.Helper()
	st, err := status.New(code, "that is why").WithDetails(&errdetails.ErrorInfo{Reason: reason, Domain: "modelgateway", Metadata: map[string]string{"model": "qwen"}})
	if err == nil && after > 0 {
		st, err = st.WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(after)})
	}
	if err != nil {
		t.Fatal(err)
	}
	return st.Err()
}

// A call is retried as the server advises, as often as the settings allow, and only if
// its deadline allows that.
func TestRetries(t *testing.T) {
	once := modelgateway.WithRetry(modelgateway.Retry{Attempts: 1})
	for name, c := range map[string]struct {
		fail, calls int
		failure     error
		options     []modelgateway.Option
		ok          bool
	}{
		"once":                     {1, 2, failing(t, codes.ResourceExhausted, "QUEUE_FULL", time.Millisecond), nil, true},
		"twice":                    {2, 3, failing(t, codes.Unavailable, "DRAINING", time.Millisecond), nil, true},
		"too often":                {3, 3, failing(t, codes.Unavailable, "DRAINING", time.Millisecond), nil, false},
		"turned off":               {1, 1, failing(t, codes.Unavailable, "DRAINING", time.Millisecond), []modelgateway.Option{once}, false},
		"without advice":           {1, 1, failing(t, codes.NotFound, "MODEL_NOT_FOUND", 0), nil, false},
		"a crash is retried once":  {3, 2, failing(t, codes.Unavailable, "ENGINE_CRASHED", time.Millisecond), nil, false},
		"unreachable":              {1, 2, status.Error(codes.Unavailable, "connection reset"), nil, true},
		"later than the deadline":  {1, 1, failing(t, codes.ResourceExhausted, "QUEUE_FULL", time.Hour), []modelgateway.Option{modelgateway.WithRetry(modelgateway.Retry{Attempts: 3, MaxWait: 2 * time.Hour})}, false},
		"later than worth waiting": {1, 1, failing(t, codes.ResourceExhausted, "QUEUE_FULL", time.Hour), []modelgateway.Option{modelgateway.WithTimeout(0)}, false},
	} {
		t.Run(name, func(t *testing.T) {
			r, address := record(t, c.fail, c.failure)
			_, err := client(t, address, c.options...).Chat(t.Context(), &gatewayv1.ChatRequest{})
			if (err == nil) != c.ok || r.calls != c.calls {
				t.Errorf("Chat: %d calls, %v", r.calls, err)
			}
			r, address = record(t, c.fail, c.failure)
			got := false
			for _, err := range modelgateway.Stream(t.Context(), client(t, address, c.options...).StreamChat, &gatewayv1.StreamChatRequest{}) {
				got = err == nil
				break
			}
			if got != c.ok || r.calls != c.calls {
				t.Errorf("StreamChat: %d calls, %v", r.calls, got)
			}
		})
	}
}

// If a loop over a stream ends early, the server learns of it.
func TestStreamEndsWithItsLoop(t *testing.T) {
	r, address := record(t, 0, nil)
	for piece, err := range modelgateway.Stream(t.Context(), client(t, address).StreamChat, &gatewayv1.StreamChatRequest{}) {
		if err != nil || piece.GetDelta() != "x" {
			t.Errorf("%v, %v", piece, err)
		}
		break
	}
	<-r.ended
}

// Calls without a deadline get one; those with one keep it.
func TestDeadlines(t *testing.T) {
	for name, c := range map[string]struct {
		options  []modelgateway.Option
		given    time.Duration
		min, max time.Duration
	}{
		"default":         {nil, 0, time.Minute, 2 * time.Minute},
		"of the client":   {[]modelgateway.Option{modelgateway.WithTimeout(time.Hour)}, 0, 50 * time.Minute, time.Hour},
		"none":            {[]modelgateway.Option{modelgateway.WithTimeout(0)}, 0, 0, 0},
		"of the context":  {nil, time.Hour, 50 * time.Minute, time.Hour},
		"that has passed": {nil, -time.Second, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			r, address := record(t, 0, nil)
			ctx := t.Context()
			if c.given != 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, c.given)
				defer cancel()
			}
			_, err := client(t, address, c.options...).Chat(ctx, &gatewayv1.ChatRequest{})
			if errors.Is(err, modelgateway.ErrDeadlineExceeded) != (c.given < 0) || errors.Is(err, context.DeadlineExceeded) != (c.given < 0) {
				t.Fatal(err)
			}
			if r.remaining < c.min || r.remaining > c.max {
				t.Errorf("the server has %v", r.remaining)
			}
		})
	}
}

// Proxies learn which calls belong together, and which model they want.
func TestAffinity(t *testing.T) {
	r, address := record(t, 0, nil)
	c := client(t, address, modelgateway.WithConversation("Chào"), modelgateway.WithAPIKey("k"))
	calls := map[string]func(context.Context) error{
		"named": func(ctx context.Context) error {
			_, err := c.Chat(ctx, &gatewayv1.ChatRequest{Model: "qwen"})
			return err
		},
		"invoked": func(ctx context.Context) error {
			_, err := c.Invoke(ctx, &gatewayv1.InvokeRequest{ModelName: "qwen"})
			return err
		},
		"heard": func(ctx context.Context) error {
			_, err := c.Recognize(ctx, &gatewayv1.RecognizeRequest{Config: &gatewayv1.TranscriptionConfig{Model: "qwen"}})
			return err
		},
		"unnamed": func(ctx context.Context) error { _, err := c.Chat(ctx, &gatewayv1.ChatRequest{}); return err },
		"not a header": func(ctx context.Context) error {
			_, err := c.Chat(ctx, &gatewayv1.ChatRequest{Model: "Mô hình"})
			return err
		},
	}
	for name, call := range calls {
		if err := call(t.Context()); err != nil {
			t.Fatal(err)
		}
		first := strings.Join(r.header.Get("mg-affinity"), ",")
		if first != "8fe6ce90de08a08f0e55f8a35774fde9" { // of every client of the project
			t.Errorf("%s: mg-affinity is %q", name, first)
		}
		want := "qwen"
		if name == "unnamed" || name == "not a header" {
			want = ""
		}
		if got := strings.Join(r.header.Get("mg-model"), ","); got != want {
			t.Errorf("%s: mg-model is %q", name, got)
		}
		if err := call(modelgateway.Conversation(t.Context(), "another")); err != nil {
			t.Fatal(err)
		}
		if other := strings.Join(r.header.Get("mg-affinity"), ","); other == first {
			t.Errorf("%s: two conversations have one mg-affinity", name)
		}
		if got := r.header.Get("authorization"); len(got) != 1 || got[0] != "Bearer k" {
			t.Errorf("%s: authorization is %v", name, got)
		}
	}
}
