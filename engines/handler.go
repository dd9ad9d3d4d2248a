package engines

import (
	"context"
	"sync"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/lexilingo/modelgateway/engines/errs"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
)

// handler runs a task on a model.
type handler struct {
	kind TaskKind
	// implements reports whether the model has the task's interface.
	implements func(Model) bool
	// run calls the interface's method. It is only called for models that implement
	// it.
	run func(ctx context.Context, m Model, req proto.Message, stream *runStream) error
}

// unary returns the handler of a task with one answer. method is a method of the
// interface I, e.g. GrammarChecker.Grammar.
func unary[I any, Req, Resp proto.Message](method func(I, context.Context, Req) (Resp, error)) handler {
	return handler{
		kind:       Unary,
		implements: implements[I],
		run: func(ctx context.Context, m Model, req proto.Message, stream *runStream) error {
			resp, err := method(m.(I), ctx, req.(Req))
			if err != nil {
				return err
			}
			return stream.send(resp)
		},
	}
}

// streamed returns the handler of a task whose answer comes in pieces.
func streamed[I any, Req, Resp proto.Message](method func(I, context.Context, Req, func(Resp) error) error) handler {
	return handler{
		kind:       ServerStream,
		implements: implements[I],
		run: func(ctx context.Context, m Model, req proto.Message, stream *runStream) error {
			return method(m.(I), ctx, req.(Req), func(piece Resp) error { return stream.send(piece) })
		},
	}
}

// audioStreamed returns the handler of a task that also reads a stream of audio.
func audioStreamed[I any, Req, Resp proto.Message](method func(I, context.Context, Req, AudioSource, func(Resp) error) error) handler {
	return handler{
		kind:       AudioStream,
		implements: implements[I],
		run: func(ctx context.Context, m Model, req proto.Message, stream *runStream) error {
			return method(m.(I), ctx, req.(Req), stream, func(piece Resp) error { return stream.send(piece) })
		},
	}
}

func implements[I any](m Model) bool {
	_, ok := m.(I)
	return ok
}

// runStream is the stream of one Run: it sends a task's answers and receives the
// audio that follows the request. Sends are serialized, so that a task may send
// from several goroutines.
type runStream struct {
	stream enginev1.Engine_RunServer
	task   Task
	mu     sync.Mutex
}

var _ AudioSource = (*runStream)(nil)

// send sends an answer of the task. An engine that returns nil answers with an
// empty message.
func (r *runStream) send(answer proto.Message) error {
	resp := &enginev1.RunResponse{}
	m := resp.ProtoReflect()
	field := m.Descriptor().Fields().ByName(protoreflect.Name(r.task.Name))
	value := m.NewField(field)
	if answer.ProtoReflect().IsValid() {
		value = protoreflect.ValueOfMessage(answer.ProtoReflect())
	}
	m.Set(field, value)
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stream.Send(resp)
}

// Next implements AudioSource.
func (r *runStream) Next() ([]byte, error) {
	req, err := r.stream.Recv()
	if err != nil {
		return nil, err // io.EOF after the last
	}
	audio, ok := req.GetPayload().(*enginev1.RunRequest_Audio)
	if !ok {
		return nil, errs.New(errs.InvalidRequest, "only audio may follow the config of a transcription")
	}
	return audio.Audio, nil
}
