package engines

import (
	"context"
	"errors"
	"io"
	"sync"

	"github.com/lexilingo/modelgateway/engines/errs"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// Run implements enginev1.EngineServer.
func (s *server) Run(stream enginev1.Engine_RunServer) (err error) {
	req, err := stream.Recv()
	if errors.Is(err, io.EOF) {
		return errs.New(errs.InvalidRequest, "the stream ended before it said what to do")
	}
	if err != nil {
		return err
	}
	ctx, end, err := s.beginRun(stream.Context())
	if err != nil {
		return s.callError(stream.Context(), err)
	}
	defer end()
	defer s.recovered("Run", &err)
	return s.callError(stream.Context(), s.dispatch(ctx, req, &runStream{stream: stream}))
}

// beginRun waits for one of the model's MaxConcurrency places.
func (s *server) beginRun(caller context.Context) (context.Context, func(), error) {
	s.mu.Lock()
	slots, stopping := s.slots, s.life.Err() != nil
	if slots != nil && !stopping {
		s.calls.Add(1)
	}
	s.mu.Unlock()
	switch {
	case stopping:
		return nil, nil, stoppingError()
	case slots == nil:
		return nil, nil, errs.New(errs.EngineUnavailable, "no model is loaded yet; Load comes before Run")
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

// implements tells whether the model does a task.
func implements(m Model, t enginev1.Task) bool {
	var ok bool
	switch t {
	case enginev1.Task_TASK_CHAT:
		_, ok = m.(Chatter)
	case enginev1.Task_TASK_GRAMMAR:
		_, ok = m.(GrammarChecker)
	case enginev1.Task_TASK_RESPOND:
		_, ok = m.(Responder)
	case enginev1.Task_TASK_EXPLAIN_VIETNAMESE:
		_, ok = m.(VietnameseExplainer)
	case enginev1.Task_TASK_TRANSCRIBE:
		_, ok = m.(Transcriber)
	case enginev1.Task_TASK_SYNTHESIZE:
		_, ok = m.(Synthesizer)
	case enginev1.Task_TASK_PRONUNCIATION:
		_, ok = m.(PronunciationScorer)
	case enginev1.Task_TASK_INVOKE:
		_, ok = m.(Invoker)
	}
	return ok
}

// dispatch calls the task's interface of the model.
func (s *server) dispatch(ctx context.Context, req *enginev1.RunRequest, out *runStream) error {
	task, err := taskOf(req)
	if err != nil {
		return err
	}
	if !implements(s.model, task) {
		return s.unsupported(task)
	}
	switch p := req.GetPayload().(type) {
	case *enginev1.RunRequest_Chat:
		return s.model.(Chatter).Chat(ctx, p.Chat, out.chat)
	case *enginev1.RunRequest_Transcribe:
		return s.model.(Transcriber).Transcribe(ctx, p.Transcribe, out, out.transcribe)
	case *enginev1.RunRequest_Synthesize:
		return s.model.(Synthesizer).Synthesize(ctx, p.Synthesize, out.synthesize)
	default:
		resp, err := answer(ctx, s.model, req)
		if err != nil {
			return err
		}
		return out.send(resp)
	}
}

// answer does the tasks that have one answer.
func answer(ctx context.Context, m Model, req *enginev1.RunRequest) (*enginev1.RunResponse, error) {
	switch p := req.GetPayload().(type) {
	case *enginev1.RunRequest_Grammar:
		r, err := m.(GrammarChecker).Grammar(ctx, p.Grammar)
		return &enginev1.RunResponse{Payload: &enginev1.RunResponse_Grammar{Grammar: r}}, err
	case *enginev1.RunRequest_Respond:
		r, err := m.(Responder).Respond(ctx, p.Respond)
		return &enginev1.RunResponse{Payload: &enginev1.RunResponse_Respond{Respond: r}}, err
	case *enginev1.RunRequest_ExplainVietnamese:
		r, err := m.(VietnameseExplainer).ExplainVietnamese(ctx, p.ExplainVietnamese)
		return &enginev1.RunResponse{Payload: &enginev1.RunResponse_ExplainVietnamese{ExplainVietnamese: r}}, err
	case *enginev1.RunRequest_Pronunciation:
		r, err := m.(PronunciationScorer).Pronunciation(ctx, p.Pronunciation)
		return &enginev1.RunResponse{Payload: &enginev1.RunResponse_Pronunciation{Pronunciation: r}}, err
	case *enginev1.RunRequest_Invoke:
		r, err := m.(Invoker).Invoke(ctx, p.Invoke.GetMethod(), p.Invoke.GetParams())
		return &enginev1.RunResponse{Payload: &enginev1.RunResponse_Invoke{Invoke: r}}, err
	default:
		return nil, errs.New(errs.TaskUnknown, "this engine does not know the task that was asked for")
	}
}

// taskOf names the task that a stream's first message asks for.
func taskOf(req *enginev1.RunRequest) (enginev1.Task, error) {
	switch req.GetPayload().(type) {
	case *enginev1.RunRequest_Chat:
		return enginev1.Task_TASK_CHAT, nil
	case *enginev1.RunRequest_Grammar:
		return enginev1.Task_TASK_GRAMMAR, nil
	case *enginev1.RunRequest_Respond:
		return enginev1.Task_TASK_RESPOND, nil
	case *enginev1.RunRequest_ExplainVietnamese:
		return enginev1.Task_TASK_EXPLAIN_VIETNAMESE, nil
	case *enginev1.RunRequest_Transcribe:
		return enginev1.Task_TASK_TRANSCRIBE, nil
	case *enginev1.RunRequest_Synthesize:
		return enginev1.Task_TASK_SYNTHESIZE, nil
	case *enginev1.RunRequest_Pronunciation:
		return enginev1.Task_TASK_PRONUNCIATION, nil
	case *enginev1.RunRequest_Invoke:
		return enginev1.Task_TASK_INVOKE, nil
	case *enginev1.RunRequest_Audio:
		return 0, errs.New(errs.ConfigNotFirst, "audio came before the config that describes it")
	default:
		return 0, errs.New(errs.InvalidRequest, "the first message does not say what to do")
	}
}

func (s *server) unsupported(t enginev1.Task) error {
	return errs.New(errs.EngineUnavailable, "model %q of engine %q does not do %s",
		s.name, s.engine.Describe().Name, TaskName(t)).With("model", s.name).With("task", TaskName(t))
}

// runStream is a Run's stream as a task sees it: emit functions, and the audio
// that follows. Sends are serialised, so that a task may emit from several
// goroutines.
type runStream struct {
	stream enginev1.Engine_RunServer
	mu     sync.Mutex
}

var _ AudioSource = (*runStream)(nil)

func (r *runStream) send(m *enginev1.RunResponse) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stream.Send(m)
}

func (r *runStream) chat(m *gatewayv1.StreamChatResponse) error {
	return r.send(&enginev1.RunResponse{Payload: &enginev1.RunResponse_Chat{Chat: m}})
}

func (r *runStream) transcribe(m *gatewayv1.TranscriptionEvent) error {
	return r.send(&enginev1.RunResponse{Payload: &enginev1.RunResponse_Transcribe{Transcribe: m}})
}

func (r *runStream) synthesize(m *gatewayv1.SynthesizeResponse) error {
	return r.send(&enginev1.RunResponse{Payload: &enginev1.RunResponse_Synthesize{Synthesize: m}})
}

// Next implements AudioSource.
func (r *runStream) Next() ([]byte, error) {
	req, err := r.stream.Recv()
	if err != nil {
		return nil, err // io.EOF after the last
	}
	audio, ok := req.GetPayload().(*enginev1.RunRequest_Audio)
	if !ok {
		return nil, errs.New(errs.InvalidRequest, "only audio follows the config of a transcription")
	}
	return audio.Audio, nil
}
