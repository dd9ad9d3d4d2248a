package engines

import (
	"context"
	"errors"
	"io"

	"github.com/lexilingo/modelgateway/engines/errs"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
)

// Run implements enginev1.EngineServer.
func (s *server) Run(stream enginev1.Engine_RunServer) (err error) {
	req, err := stream.Recv()
	if errors.Is(err, io.EOF) {
		return errs.New(errs.InvalidRequest, "the stream ended before its first message, which names the task")
	}
	if err != nil {
		return err
	}
	ctx, end, err := s.beginRun(stream.Context())
	if err != nil {
		return s.callError(stream.Context(), err)
	}
	defer end()
	defer s.recoverPanic("Run", &err)
	return s.callError(stream.Context(), s.dispatch(ctx, req, stream))
}

// beginRun waits for one of the model's MaxConcurrency slots. The returned function
// gives it back.
func (s *server) beginRun(caller context.Context) (context.Context, func(), error) {
	s.mu.Lock()
	slots, stopping := s.slots, s.lifetime.Err() != nil
	if slots != nil && !stopping {
		s.calls.Add(1)
	}
	s.mu.Unlock()
	switch {
	case stopping:
		return nil, nil, stoppingError()
	case slots == nil:
		return nil, nil, errs.New(errs.EngineUnavailable, "no model is loaded: call Load before Run")
	}
	ctx, cancel := s.callContext(caller)
	select {
	case slots <- struct{}{}:
	case <-ctx.Done():
		cancel()
		s.calls.Done()
		return nil, nil, ctx.Err()
	}
	s.active.Add(1)
	s.work.signal()
	return ctx, func() {
		cancel()
		s.active.Add(-1)
		<-slots
		s.work.signal()
		s.calls.Done()
	}, nil
}

// dispatch calls the method of the model that runs the requested task.
func (s *server) dispatch(ctx context.Context, req *enginev1.RunRequest, stream enginev1.Engine_RunServer) error {
	task, err := taskOf(req)
	if err != nil {
		return err
	}
	if !task.handler.implements(s.model) {
		return errs.New(errs.EngineUnavailable, "model %q of engine %q does not do the task %s",
			s.name, s.engine.Describe().Name, task.Name).With("model", s.name).With("task", task.Name)
	}
	payload := req.ProtoReflect().Get(payloadOf(req)).Message().Interface()
	return task.handler.run(ctx, s.model, payload, &runStream{stream: stream, task: task})
}

// taskOf returns the task that the first message of a stream asks for.
func taskOf(req *enginev1.RunRequest) (Task, error) {
	if task, ok := TaskOf(req); ok {
		return task, nil
	}
	if _, audio := req.GetPayload().(*enginev1.RunRequest_Audio); audio {
		return Task{}, errs.New(errs.ConfigNotFirst, "audio came before the config that describes it")
	}
	return Task{}, errs.New(errs.InvalidRequest, "the first message does not name a task")
}
