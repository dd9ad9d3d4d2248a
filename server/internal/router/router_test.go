package router

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"

	"github.com/lexilingo/modelgateway/engines/errs"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/lifecycle"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeLease is a lease on a worker whose answers never end.
type fakeLease struct {
	Lease
	mu       sync.Mutex
	paused   bool
	released []error
}

func (l *fakeLease) Info() lifecycle.LeaseInfo { return lifecycle.LeaseInfo{Engine: "fake"} }

func (l *fakeLease) Run(ctx context.Context) (enginev1.Engine_RunClient, error) {
	return endlessStream{ctx: ctx}, nil
}

func (l *fakeLease) Pause(bool) func(context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.paused = true
	return func(context.Context) error { return nil }
}

func (l *fakeLease) Release(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.released = append(l.released, err)
}

// endlessStream has output until its context ends.
type endlessStream struct {
	grpc.BidiStreamingClient[enginev1.RunRequest, enginev1.RunResponse]
	ctx context.Context
}

func (endlessStream) Send(*enginev1.RunRequest) error { return nil }
func (endlessStream) CloseSend() error                { return nil }

func (s endlessStream) Recv() (*enginev1.RunResponse, error) {
	if err := s.ctx.Err(); err != nil {
		return nil, err
	}
	return &enginev1.RunResponse{Payload: &enginev1.RunResponse_Chat{Chat: &gatewayv1.StreamChatResponse{Delta: "x"}}}, nil
}

// sinkFunc is a sink that calls a function for each message.
type sinkFunc func() error

func (sinkFunc) Begin()                             {}
func (f sinkFunc) Emit(*enginev1.RunResponse) error { return f() }
func (sinkFunc) Committed() bool                    { return false }

// queueTimes records how long requests waited.
type queueTimes struct {
	Observer
	waits []time.Duration
}

func (q *queueTimes) RequestEnded(_, _, _ string, _ error, _, wait time.Duration) {
	q.waits = append(q.waits, wait)
}

func newRouter(acquire Acquire, observer Observer, readTimeout time.Duration) *Router {
	return New(Options{
		Acquire:           acquire,
		Models:            map[string]Model{"first": {}, "second": {}},
		Tasks:             map[string][]string{"chat": {"first", "second"}},
		Observer:          observer,
		SlowReaderTimeout: readTimeout,
	})
}

func acquireOf(l *fakeLease) Acquire {
	return func(context.Context, lifecycle.Request) (Lease, error) { return l, nil }
}

var chat = Request{Task: "chat", First: &enginev1.RunRequest{}}

func TestPanicInTheSinkReleasesTheLease(t *testing.T) {
	lease := &fakeLease{}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic did not reach the caller, whose interceptor recovers it")
			}
		}()
		_, _ = newRouter(acquireOf(lease), &queueTimes{}, time.Minute).Run(t.Context(), chat, sinkFunc(func() error { panic("sink") }))
	}()
	if len(lease.released) != 1 || errs.ReasonOf(lease.released[0]) != errs.Internal {
		t.Errorf("released with %v", lease.released)
	}
}

func TestSlowReaderEndsTheRequestWhileEmitRuns(t *testing.T) {
	lease, end := &fakeLease{}, make(chan struct{})
	var emits atomic.Int32
	_, err := newRouter(acquireOf(lease), &queueTimes{}, 20*time.Millisecond).Run(t.Context(), chat, sinkFunc(func() error {
		emits.Add(1)
		<-end
		return nil
	}))
	if errs.ReasonOf(err) != errs.DeadlineExceeded {
		t.Errorf("it ended with %v", err)
	}
	if !lease.paused || len(lease.released) != 1 || errs.ReasonOf(lease.released[0]) != errs.DeadlineExceeded {
		t.Errorf("paused %v, released with %v", lease.paused, lease.released)
	}
	close(end) // emit runs on; the race detector and goleak watch it
	if emits.Load() != 1 {
		t.Errorf("%d messages: another candidate was tried", emits.Load())
	}
}

func TestFailedRequestsReportTheirQueueTime(t *testing.T) {
	const wait = 20 * time.Millisecond
	full := func(context.Context, lifecycle.Request) (Lease, error) {
		time.Sleep(wait)
		return nil, errs.New(errs.QueueFull, "full")
	}
	observer := &queueTimes{}
	if _, err := newRouter(full, observer, 0).Run(t.Context(), chat, sinkFunc(nil)); errs.ReasonOf(err) != errs.QueueFull {
		t.Fatal(err)
	}
	if len(observer.waits) != 1 || observer.waits[0] < 2*wait { // for both candidates
		t.Errorf("it waited %v", observer.waits)
	}
}
