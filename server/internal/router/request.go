package router

import (
	"context"

	"github.com/lexilingo/modelgateway/engines/errs"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// Request is a task to run.
type Request struct {
	// Task is the task's name, e.g. "chat".
	Task string
	// Model is the model that the caller named; empty if none.
	Model string
	// Routing restricts which models may answer; nil for no restriction.
	Routing *gatewayv1.Routing
	// First is the first message to the worker. It says what to do.
	First *enginev1.RunRequest
	// Audio follows First; nil for none.
	Audio Audio
	// OnAudio is called with each piece of Audio before it is sent to a model; nil: not.
	// It is not called concurrently, and may end the request's context: the piece is not
	// sent then.
	OnAudio func([]byte)
	// Room is called before each message that Sink gets. It returns nil if there is room
	// for the message, else a channel that is closed when there is. The wait does not
	// count as the client's; the model has no cores meanwhile. Nil: there always is.
	Room func() <-chan struct{}
	// Caller names who sent the request, for metrics; empty if callers need no key.
	Caller string
	// MaxPriority limits the priority of Routing, and that of the model, which counts
	// without one; unspecified is no limit.
	MaxPriority gatewayv1.Priority
	// Weight is that of the caller; see lifecycle.Request.
	Weight int
	// Collected says that Sink keeps the output until Run has returned: to give it a
	// message is never to wait for the client.
	Collected bool
	// MayUse returns an error if the caller may not use a model; cloud says that the
	// request would leave the machine. Nil: the caller may use every model.
	MayUse func(model string, cloud bool) *errs.Error
}

// Audio reads the audio of a request.
type Audio interface {
	// Next returns the next bytes, or io.EOF after the last. It returns when ctx
	// ends.
	Next(ctx context.Context) ([]byte, error)
}

// Rewinder is audio that is complete when the request begins. Other audio is
// live: it arrives while the request runs, and the router keeps what it has read
// for another candidate, within limits.
type Rewinder interface {
	Audio
	// Rewind goes back to the start.
	Rewind()
}

// Sink takes a request's output.
type Sink interface {
	// Begin is called before each candidate is tried. The output of an earlier
	// candidate is to be discarded.
	Begin()
	// Emit takes one message.
	Emit(resp *enginev1.RunResponse) error
	// Committed reports whether output has reached the caller. No other candidate
	// can answer after that.
	Committed() bool
}
