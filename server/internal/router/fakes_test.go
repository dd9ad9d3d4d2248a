package router

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/grpc"

	"github.com/lexilingo/modelgateway/engines/errs"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/lifecycle"
)

// modelFunc is what a model does with one request. read returns the request's
// audio, write sends output.
type modelFunc func(ctx context.Context, read func() ([]byte, error), write func(string)) error

// open opens a stream to a worker of the model.
func (p modelFunc) open(ctx context.Context) enginev1.Engine_RunClient {
	s := &fakeStream{ctx: ctx, audio: make(chan []byte), out: make(chan *enginev1.RunResponse), ended: make(chan error, 1), left: make(chan struct{})}
	go func() {
		defer close(s.left)
		s.ended <- p(ctx, s.read, s.write)
	}()
	return s
}

// fakeStream is the stream of one request.
type fakeStream struct {
	grpc.BidiStreamingClient[enginev1.RunRequest, enginev1.RunResponse]
	ctx   context.Context
	audio chan []byte
	out   chan *enginev1.RunResponse
	ended chan error
	left  chan struct{}
}

func (s *fakeStream) Send(m *enginev1.RunRequest) error {
	if m.GetAudio() == nil {
		return nil
	}
	select {
	case s.audio <- m.GetAudio():
		return nil
	case <-s.left:
		return io.EOF
	}
}

func (s *fakeStream) CloseSend() error {
	close(s.audio)
	return nil
}

func (s *fakeStream) Recv() (*enginev1.RunResponse, error) {
	select {
	case m := <-s.out:
		return m, nil
	case <-s.left:
		if err := <-s.ended; err != nil {
			return nil, err
		}
		return nil, io.EOF
	}
}

func (s *fakeStream) read() ([]byte, error) {
	select {
	case piece, ok := <-s.audio:
		if !ok {
			return nil, io.EOF
		}
		return piece, nil
	case <-s.ctx.Done():
		return nil, s.ctx.Err()
	}
}

func (s *fakeStream) write(text string) {
	select {
	case s.out <- &enginev1.RunResponse{Payload: &enginev1.RunResponse_Chat{Chat: &gatewayv1.StreamChatResponse{Delta: text}}}:
	case <-s.ctx.Done():
	}
}

// modelLease is a lease on a model.
type modelLease struct {
	fakeLease
	model modelFunc
}

func (l *modelLease) Run(ctx context.Context) (enginev1.Engine_RunClient, error) {
	return l.model.open(ctx), nil
}

// twoModels routes the task "chat" to the models "first" and "second".
type twoModels struct {
	*Router
	fallbacks []string
}

func (t *twoModels) RequestEnded(_, _, _ string, _ error, _, _ time.Duration) {}
func (t *twoModels) Tokens(string, string, *gatewayv1.Usage)                  {}
func (t *twoModels) Audio(string, string, string, time.Duration)              {}
func (t *twoModels) BreakerChanged(string, gatewayv1.BreakerState)            {}
func (t *twoModels) FellBack(_, from, to string, r gatewayv1.FallbackReason) {
	t.fallbacks = append(t.fallbacks, fmt.Sprintf("%s→%s %s", from, to, r))
}

// newTwoModels makes the router. A nil modelFunc is a model that is never ready.
func newTwoModels(first, second modelFunc) *twoModels {
	t := &twoModels{}
	models := map[string]modelFunc{"first": first, "second": second}
	t.Router = New(Options{
		Acquire: func(ctx context.Context, req lifecycle.Request) (Lease, error) {
			if models[req.Model] == nil {
				<-ctx.Done()
				return nil, errs.From(ctx.Err())
			}
			return &modelLease{model: models[req.Model]}, nil
		},
		Models:   map[string]Model{"first": {}, "second": {Cloud: true}},
		Tasks:    map[string][]string{"chat": {"first", "second"}},
		Observer: t,
		Breaker:  BreakerOptions{Failures: 2, Open: 30 * time.Second},
	})
	return t
}

// textSink keeps the text that it gets. If it is live, text reaches the caller at
// once.
type textSink struct {
	text string
	live bool
}

func (s *textSink) Begin() {
	if !s.live {
		s.text = ""
	}
}

func (s *textSink) Emit(m *enginev1.RunResponse) error {
	s.text += m.GetChat().GetDelta()
	return nil
}

func (s *textSink) Committed() bool { return s.live && s.text != "" }

// fakeAudio is live audio that is there at once.
type fakeAudio struct {
	pieces [][]byte
	end    error
}

func (s *fakeAudio) Next(context.Context) ([]byte, error) {
	if len(s.pieces) == 0 {
		return nil, s.end
	}
	piece := s.pieces[0]
	s.pieces = s.pieces[1:]
	return piece, nil
}

// echoAudio reads all audio and writes the first byte of each piece.
func echoAudio(_ context.Context, read func() ([]byte, error), write func(string)) error {
	for {
		piece, err := read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		write(string(piece[0]))
	}
}

// crashAfterReading reads some pieces and fails.
func crashAfterReading(pieces int) modelFunc {
	return func(_ context.Context, read func() ([]byte, error), _ func(string)) error {
		for range pieces {
			if _, err := read(); err != nil {
				return err
			}
		}
		return crash()
	}
}

func replying(text string) modelFunc {
	return func(_ context.Context, _ func() ([]byte, error), write func(string)) error {
		write(text)
		return nil
	}
}

func blocking(ctx context.Context, _ func() ([]byte, error), _ func(string)) error {
	<-ctx.Done()
	return ctx.Err()
}

func liveAudio(pieces int, size int) *fakeAudio {
	s := &fakeAudio{end: io.EOF}
	for i := range pieces {
		s.pieces = append(s.pieces, bytes.Repeat([]byte{byte('a' + i)}, size))
	}
	return s
}
