package enginetest

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"google.golang.org/grpc/status"

	"github.com/lexilingo/modelgateway/engines"
	"github.com/lexilingo/modelgateway/engines/errs"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// typed tells whether an error carries a reason, or ends a call as gRPC does.
func typed(err error) bool {
	st, ok := status.FromError(err)
	return ok && len(st.Details()) > 0
}

// modelTasks returns what the loaded model says that it does.
func (s *suite) modelTasks(t *testing.T, w *worker) []enginev1.Task {
	t.Helper()
	d, err := w.Describe(t.Context(), &enginev1.DescribeRequest{})
	if err != nil {
		t.Fatal(err)
	}
	last, err := w.load(t.Context(), s.cfg.Load, nil)
	if err != nil {
		t.Fatal(err)
	}
	if fewer := last.GetTasks(); len(fewer) > 0 {
		return fewer
	}
	return d.GetTasks()
}

// tasks: each task answers, and its stream ends once, as it should.
func (s *suite) tasks(t *testing.T) {
	w := s.start(t)
	var sampled []enginev1.Task
	tasks := s.modelTasks(t, w)
	for _, sample := range s.cfg.Samples {
		task := taskOf(sample.Messages)
		sampled = append(sampled, task)
		name := sample.Name
		if name == "" {
			name = engines.TaskName(task)
		}
		t.Run(name, func(t *testing.T) {
			answer, err := w.run(t.Context(), sample.Messages)
			if err != nil {
				t.Fatal(err)
			}
			checkAnswer(t, task, answer)
			if sample.Check != nil {
				sample.Check(t, answer)
			}
		})
	}
	for _, task := range tasks {
		if !slices.Contains(sampled, task) {
			t.Errorf("there is no sample of the task %s", engines.TaskName(task))
		}
	}
}

func checkAnswer(t *testing.T, task enginev1.Task, answer []*enginev1.RunResponse) {
	t.Helper()
	if len(answer) == 0 {
		t.Fatal("the stream ended well, without an answer")
	}
	last := answer[len(answer)-1]
	switch task {
	case enginev1.Task_TASK_CHAT:
		checkChat(t, answer)
	case enginev1.Task_TASK_TRANSCRIBE:
		for i, r := range answer {
			if final := r.GetTranscribe().GetFinal() != nil; final != (i == len(answer)-1) {
				t.Errorf("event %d of %d: final is %v", i, len(answer), final)
			}
		}
	case enginev1.Task_TASK_SYNTHESIZE:
		if answer[0].GetSynthesize().GetSampleRateHertz() <= 0 {
			t.Error("the first piece has no sample rate")
		}
		for _, r := range answer {
			if len(r.GetSynthesize().GetAudio())%2 != 0 {
				t.Error("a piece has half a sample")
			}
		}
	default:
		if len(answer) != 1 || last.GetPayload() == nil {
			t.Errorf("one answer is wanted: %v", answer)
		}
	}
	if got := payloadTask(last); got != task {
		t.Errorf("the answer is one of %s", engines.TaskName(got))
	}
}

func checkChat(t *testing.T, answer []*enginev1.RunResponse) {
	t.Helper()
	for i, r := range answer {
		finished := r.GetChat().GetFinishReason() != gatewayv1.FinishReason_FINISH_REASON_UNSPECIFIED
		if finished != (i == len(answer)-1) {
			t.Errorf("piece %d of %d: finished is %v", i, len(answer), finished)
		}
		if !utf8.ValidString(r.GetChat().GetDelta()) {
			t.Errorf("piece %d is no UTF-8", i)
		}
	}
	if u := answer[len(answer)-1].GetChat().GetUsage(); u.GetPromptTokenCount() < 1 {
		t.Errorf("the last piece has the usage %v", u)
	}
}

// unsupportedTasks: a task that the model does not do is refused by name.
func (s *suite) unsupportedTasks(t *testing.T) {
	w := s.start(t)
	tasks := s.modelTasks(t, w)
	for task, req := range emptyRequests() {
		if slices.Contains(tasks, task) {
			continue
		}
		_, err := w.run(t.Context(), []*enginev1.RunRequest{req})
		if e := errs.From(err); err == nil || e.Reason() != errs.EngineUnavailable || !strings.Contains(e.Message(), engines.TaskName(task)) {
			t.Errorf("the task %s, which it does not do, ended with %v", engines.TaskName(task), err)
		}
	}
	w.stillWorks(t)
}

// parallel: as many runs at once as the load allows, and twice as many, which
// wait for each other.
func (s *suite) parallel(t *testing.T) {
	w := s.startLoaded(t)
	n := 2 * max(2, int(s.cfg.Load.GetMaxConcurrency()))
	var all sync.WaitGroup
	for i := range n {
		sample := s.cfg.Samples[i%len(s.cfg.Samples)]
		all.Go(func() {
			answer, err := w.run(t.Context(), sample.Messages)
			if err != nil {
				t.Errorf("run %d of %d at once: %v", i, n, err)
				return
			}
			checkAnswer(t, taskOf(sample.Messages), answer)
		})
	}
	all.Wait()
}

// taskOf names the task that messages ask for.
func taskOf(messages []*enginev1.RunRequest) enginev1.Task {
	if len(messages) == 0 {
		return enginev1.Task_TASK_UNSPECIFIED
	}
	switch messages[0].GetPayload().(type) {
	case *enginev1.RunRequest_Chat:
		return enginev1.Task_TASK_CHAT
	case *enginev1.RunRequest_Grammar:
		return enginev1.Task_TASK_GRAMMAR
	case *enginev1.RunRequest_Respond:
		return enginev1.Task_TASK_RESPOND
	case *enginev1.RunRequest_ExplainVietnamese:
		return enginev1.Task_TASK_EXPLAIN_VIETNAMESE
	case *enginev1.RunRequest_Transcribe:
		return enginev1.Task_TASK_TRANSCRIBE
	case *enginev1.RunRequest_Synthesize:
		return enginev1.Task_TASK_SYNTHESIZE
	case *enginev1.RunRequest_Pronunciation:
		return enginev1.Task_TASK_PRONUNCIATION
	case *enginev1.RunRequest_Invoke:
		return enginev1.Task_TASK_INVOKE
	default:
		return enginev1.Task_TASK_UNSPECIFIED
	}
}

// payloadTask names the task that a response answers.
func payloadTask(r *enginev1.RunResponse) enginev1.Task {
	switch r.GetPayload().(type) {
	case *enginev1.RunResponse_Chat:
		return enginev1.Task_TASK_CHAT
	case *enginev1.RunResponse_Grammar:
		return enginev1.Task_TASK_GRAMMAR
	case *enginev1.RunResponse_Respond:
		return enginev1.Task_TASK_RESPOND
	case *enginev1.RunResponse_ExplainVietnamese:
		return enginev1.Task_TASK_EXPLAIN_VIETNAMESE
	case *enginev1.RunResponse_Transcribe:
		return enginev1.Task_TASK_TRANSCRIBE
	case *enginev1.RunResponse_Synthesize:
		return enginev1.Task_TASK_SYNTHESIZE
	case *enginev1.RunResponse_Pronunciation:
		return enginev1.Task_TASK_PRONUNCIATION
	case *enginev1.RunResponse_Invoke:
		return enginev1.Task_TASK_INVOKE
	default:
		return enginev1.Task_TASK_UNSPECIFIED
	}
}
