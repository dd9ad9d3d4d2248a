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

// lent is a lease on a worker that answers a chat without end.
type lent struct {
	Lease
	mu       sync.Mutex
	paused   bool
	released []error
}

func (l *lent) Info() lifecycle.LeaseInfo { return lifecycle.LeaseInfo{Engine: "fake"} }

func (l *lent) Run(ctx context.Context) (enginev1.Engine_RunClient, error) {
	return answers{ctx: ctx}, nil
}

func (l *lent) Pause(bool) func(context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.paused = true
	return func(context.Context) error { return nil }
}

func (l *lent) Release(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.released = append(l.released, err)
}

type answers struct {
	grpc.BidiStreamingClient[enginev1.RunRequest, enginev1.RunResponse]
	ctx context.Context
}

func (answers) Send(*enginev1.RunRequest) error { return nil }
func (answers) CloseSend() error                { return nil }

func (a answers) Recv() (*enginev1.RunResponse, error) {
	if err := a.ctx.Err(); err != nil {
		return nil, err
	}
	return &enginev1.RunResponse{Payload: &enginev1.RunResponse_Chat{Chat: &gatewayv1.StreamChatResponse{Delta: "x"}}}, nil
}

// sinkFunc is a sink that takes messages with a function.
type sinkFunc func() error

func (sinkFunc) Begin()                             {}
func (f sinkFunc) Emit(*enginev1.RunResponse) error { return f() }
func (sinkFunc) Committed() bool                    { return false }

// queued observes how long requests waited.
type queued struct {
	Observer
	waits []time.Duration
}

func (q *queued) RequestEnded(_, _ string, _ error, _, wait time.Duration) {
	q.waits = append(q.waits, wait)
}

func routerOf(acquire Acquire, observer Observer, slowReader time.Duration) *Router {
	return New(Options{
		Acquire:           acquire,
		Models:            map[string]Model{"first": {}, "second": {}},
		Tasks:             map[string][]string{"chat": {"first", "second"}},
		Observer:          observer,
		SlowReaderTimeout: slowReader,
	})
}

func lending(l *lent) Acquire {
	return func(context.Context, lifecycle.Request) (Lease, error) { return l, nil }
}

var chat = Request{Task: "chat", First: &enginev1.RunRequest{}}

func TestAPanicInTheSinkGivesTheLeaseBack(t *testing.T) {
	lease := &lent{}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic is lost: the call's guard must see it")
			}
		}()
		_, _ = routerOf(lending(lease), &queued{}, time.Minute).Run(t.Context(), chat, sinkFunc(func() error { panic("sink") }))
	}()
	if len(lease.released) != 1 || errs.ReasonOf(lease.released[0]) != errs.Internal {
		t.Errorf("released with %v", lease.released)
	}
}

func TestAStalledCallerEndsTheRequestWhileItsSinkIsAtWork(t *testing.T) {
	lease, leave := &lent{}, make(chan struct{})
	var emits atomic.Int32
	_, err := routerOf(lending(lease), &queued{}, 20*time.Millisecond).Run(t.Context(), chat, sinkFunc(func() error {
		emits.Add(1)
		<-leave
		return nil
	}))
	if errs.ReasonOf(err) != errs.DeadlineExceeded {
		t.Errorf("it ended with %v", err)
	}
	if !lease.paused || len(lease.released) != 1 || errs.ReasonOf(lease.released[0]) != errs.DeadlineExceeded {
		t.Errorf("paused %v, released with %v", lease.paused, lease.released)
	}
	close(leave) // the race detector and goleak see what goes on
	if emits.Load() != 1 {
		t.Errorf("%d messages, and another candidate was asked", emits.Load())
	}
}

func TestFailedRequestsCountTheirWait(t *testing.T) {
	const wait = 20 * time.Millisecond
	full := func(context.Context, lifecycle.Request) (Lease, error) {
		time.Sleep(wait)
		return nil, errs.New(errs.QueueFull, "full")
	}
	observer := &queued{}
	if _, err := routerOf(full, observer, 0).Run(t.Context(), chat, sinkFunc(nil)); errs.ReasonOf(err) != errs.QueueFull {
		t.Fatal(err)
	}
	if len(observer.waits) != 1 || observer.waits[0] < 2*wait { // for both candidates
		t.Errorf("it waited %v", observer.waits)
	}
}
