package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/lexilingo/modelgateway/engines"
	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// A client that stops reading fills all buffers between it and the worker, which
// then makes no progress. The worker must not be ended for that, and the answer must
// continue when the client reads again.
func TestWorkerOfASlowReaderIsNotEnded(t *testing.T) {
	r := start(t, strings.Replace(faultModels, "memory_mb: 64, threads: 1", "memory_mb: 64, threads: 1, progress_timeout: 3s", 1))
	stream := unread(t.Context(), t, r, `fault: {"token_count": 400000}`)
	eventually(t, func() bool { return threadsUsed(t, r) == 0 }) // paused
	// A worker that hangs is ended after progress_timeout. Only waiting longer shows
	// that this one is not.
	time.Sleep(4 * time.Second)
	pieces := 1
	for {
		_, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("after %d pieces: %v", pieces, err)
		}
		pieces++
	}
	if pieces < 400000 {
		t.Errorf("%d pieces, want all 400000", pieces)
	}
	got, err := r.admin.GetModel(t.Context(), &gatewayv1.GetModelRequest{Name: "qwen"})
	if err != nil {
		t.Fatal(err)
	}
	if got.GetModel().GetLoadCount() != 1 || got.GetModel().GetLastEviction() != nil {
		t.Errorf("the worker was replaced: %v", got.GetModel())
	}
}

// Clients that never read lose their leases after slow_reader_timeout, so that others
// get the model.
func TestClientsThatNeverReadLoseTheirLeases(t *testing.T) {
	yaml := strings.Replace(faultModels, "max_concurrency: 16", "max_concurrency: 2", 1)
	r := start(t, yaml+"limits: {slow_reader_timeout: 1s}\n")
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	endless := []gatewayv1.ModelGatewayService_StreamChatClient{
		unread(ctx, t, r, `fault: {"fault":"flood_response","fault_after_tokens":1}`),
		unread(ctx, t, r, `fault: {"fault":"flood_response","fault_after_tokens":1}`),
	}
	if err := chatOf("qwen", "Hello")(within(t, 20*time.Second), r); err != nil {
		t.Fatalf("after two clients that read nothing: %v", err)
	}
	// They must not read before that: a client that reads in time keeps its lease.
	eventually(t, func() bool { return activeRequests(t, r) == 0 })
	for _, stream := range endless {
		err := error(nil)
		for err == nil {
			_, err = stream.Recv()
		}
		checkStatus(t, err, codes.DeadlineExceeded, errs.DeadlineExceeded, false)
		if !strings.Contains(err.Error(), "for 1s") {
			t.Error(err)
		}
	}
	eventually(t, func() bool { return threadsUsed(t, r) == 0 })
}

// The streams of a worker share a connection. Clients that read nothing, more of them
// than fill its window, must not keep others from their answers and their audio.
func TestSlowReadersDoNotHoldTheirWorkersConnection(t *testing.T) {
	const slow = 2 * engines.ConnWindow / engines.StreamWindow
	concurrency := fmt.Sprintf("max_concurrency: %d", slow+2)
	r := start(t, strings.Replace(faultModels, "max_concurrency: 16", concurrency, 1)+"limits: {slow_reader_timeout: 5m}\n")
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	for range slow {
		unread(ctx, t, r, `fault: {"fault":"flood_response","fault_after_tokens":1}`)
	}
	eventually(t, func() bool { return threadsUsed(t, r) == 0 }) // all are paused
	readTokens(within(t, time.Minute), t, r, 20000)
	// A message that is larger than the window of a stream.
	text := strings.Repeat("word ", 10*engines.StreamWindow/5)
	if err := chatOf("qwen", text)(within(t, time.Minute), r); err != nil {
		t.Error(err)
	}
	if active := activeRequests(t, r); active != slow {
		t.Errorf("%d requests are active, want the %d that are not read", active, slow)
	}
}

// unread opens a stream and reads its first message only.
func unread(ctx context.Context, t *testing.T, r *running, text string) gatewayv1.ModelGatewayService_StreamChatClient {
	t.Helper()
	stream, err := r.chat.StreamChat(ctx, &gatewayv1.StreamChatRequest{Messages: say(text)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	return stream
}

func threadsUsed(t *testing.T, r *running) int32 {
	t.Helper()
	status, err := r.chat.Status(within(t, 10*time.Second), &gatewayv1.StatusRequest{})
	if err != nil {
		t.Fatal(err)
	}
	return status.GetCpuThreadsUsed()
}
