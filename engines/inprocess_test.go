package engines

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/lexilingo/modelgateway/engines/errs"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// testTimeout bounds waits in these tests, which all end much earlier.
const testTimeout = time.Minute

func serveHere(t *testing.T, e Engine) *InProcess {
	t.Helper()
	p, err := ServeInProcess(e, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// chatHere runs one Chat to its end.
func chatHere(t *testing.T, c enginev1.EngineClient) error {
	t.Helper()
	stream, err := c.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&enginev1.RunRequest{Payload: &enginev1.RunRequest_Chat{Chat: &gatewayv1.ChatRequest{}}}); err != nil {
		t.Fatal(err)
	}
	if _, err = stream.Recv(); errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

func TestInProcessServesAndEnds(t *testing.T) {
	defer goleak.VerifyNone(t)
	began, closed := make(chan struct{}), make(chan struct{})
	p := serveHere(t, &scripted{
		chat: func(ctx context.Context) error {
			close(began)
			<-ctx.Done()
			return ctx.Err()
		},
		close: func() error { close(closed); return nil },
	})
	c := p.Client()
	if d, err := c.Describe(t.Context(), &enginev1.DescribeRequest{}); err != nil || d.GetName() != "scripted" {
		t.Fatal(d, err)
	}
	if err := chatHere(t, c); errs.ReasonOf(err) != errs.EngineUnavailable {
		t.Errorf("before the load: %v", err)
	}
	if resp, err := load(t, c, 2); err != nil || !resp.GetReady() {
		t.Fatal(resp, err)
	}
	ended := make(chan error, 1)
	go func() { ended <- chatHere(t, c) }()
	<-began
	if !p.Stop(testTimeout) {
		t.Error("Stop timed out")
	}
	if err := <-ended; errs.ReasonOf(err) != errs.Draining && errs.ReasonOf(err) != errs.EngineCrashed && errs.ReasonOf(err) != errs.Cancelled {
		t.Errorf("the call under way ended with %v", err)
	}
	select {
	case <-closed:
	default:
		t.Error("the model is still open")
	}
}

func TestInProcessSurvivesPanics(t *testing.T) {
	defer goleak.VerifyNone(t)
	panics := true
	p := serveHere(t, &scripted{chat: func(context.Context) error {
		if panics {
			panic("a user's text")
		}
		return nil
	}})
	defer p.Stop(testTimeout)
	if _, err := load(t, p.Client(), 1); err != nil {
		t.Fatal(err)
	}
	if err := chatHere(t, p.Client()); errs.ReasonOf(err) != errs.Internal {
		t.Errorf("a panic ended with %v", err)
	}
	panics = false
	if err := chatHere(t, p.Client()); err != nil {
		t.Errorf("the next call ended with %v", err)
	}
}

// undescribed panics in Describe.
type undescribed struct{ Engine }

func (undescribed) Describe() Description { panic("no description") }

func TestInProcessSurvivesAPanicInDescribe(t *testing.T) {
	p := serveHere(t, undescribed{})
	defer p.Stop(testTimeout)
	if _, err := p.Client().Describe(t.Context(), &enginev1.DescribeRequest{}); errs.ReasonOf(err) != errs.Internal {
		t.Errorf("it ended with %v", err)
	}
}

func TestInProcessGivesUpAnEngineThatDoesNotEnd(t *testing.T) {
	began, release := make(chan struct{}), make(chan struct{})
	p := serveHere(t, &scripted{chat: func(context.Context) error {
		close(began)
		<-release
		return nil
	}})
	if _, err := load(t, p.Client(), 1); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- chatHere(t, p.Client()) }()
	<-began
	if p.Stop(time.Millisecond) {
		t.Error("Stop reports success while a call ignores its context")
	}
	if err := <-ended; err == nil {
		t.Error("the call that ignores its context succeeded")
	}
	close(release)
	<-p.served // the server ends after the call
}
