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
)

// typed reports whether an error carries a reason.
func typed(err error) bool {
	st, ok := status.FromError(err)
	return ok && len(st.Details()) > 0
}

// modelTasks loads the good model and returns the tasks that it lists.
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

// tasks runs every sample and checks its answer. Every task of the model needs a
// sample.
func (s *suite) tasks(t *testing.T) {
	w := s.start(t)
	var sampled []enginev1.Task
	tasks := s.modelTasks(t, w)
	for _, sample := range s.cfg.Samples {
		task := taskOf(sample.Messages)
		sampled = append(sampled, task.ID)
		name := sample.Name
		if name == "" {
			name = task.Name
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
			t.Errorf("no sample runs the task %s: add one to Config.Samples", engines.TaskName(task))
		}
	}
}

// checkAnswer checks what the contract says of the answers of a task.
func checkAnswer(t *testing.T, task engines.Task, answer []*enginev1.RunResponse) {
	t.Helper()
	if len(answer) == 0 {
		t.Fatal("the stream ended without an error and without an answer")
	}
	for i, r := range answer {
		if got, ok := engines.TaskOf(r); !ok || got.ID != task.ID {
			t.Errorf("message %d of %d answers the task %q", i, len(answer), got.Name)
		}
		if isLast := i == len(answer)-1; task.Last != nil && task.Last(r) != isLast {
			t.Errorf("message %d of %d: marked as the last is %v", i, len(answer), !isLast)
		}
	}
	if task.Kind() == engines.Unary && len(answer) != 1 {
		t.Errorf("want one answer: %v", answer)
	}
	switch task.ID {
	case enginev1.Task_TASK_CHAT:
		checkChat(t, answer)
	case enginev1.Task_TASK_SYNTHESIZE:
		checkSpeech(t, answer)
	}
}

// checkChat checks that text comes as valid UTF-8, and usage with the last piece.
func checkChat(t *testing.T, answer []*enginev1.RunResponse) {
	t.Helper()
	for i, r := range answer {
		if !utf8.ValidString(r.GetChat().GetDelta()) {
			t.Errorf("piece %d is not valid UTF-8", i)
		}
	}
	if u := answer[len(answer)-1].GetChat().GetUsage(); u.GetPromptTokenCount() < 1 {
		t.Errorf("the last piece has the usage %v", u)
	}
}

// checkSpeech checks that the sample rate comes first, and only whole samples.
func checkSpeech(t *testing.T, answer []*enginev1.RunResponse) {
	t.Helper()
	if answer[0].GetSynthesize().GetSampleRateHertz() <= 0 {
		t.Error("the first piece has no sample rate")
	}
	for i, r := range answer {
		if len(r.GetSynthesize().GetAudio())%2 != 0 {
			t.Errorf("piece %d ends in the middle of a sample", i)
		}
	}
}

// unsupportedTasks checks that a task that the model does not do is refused with
// an error that names it.
func (s *suite) unsupportedTasks(t *testing.T) {
	w := s.start(t)
	supported := s.modelTasks(t, w)
	for _, task := range engines.Tasks() {
		if slices.Contains(supported, task.ID) {
			continue
		}
		_, err := w.run(t.Context(), []*enginev1.RunRequest{task.EmptyRequest()})
		if e := errs.From(err); err == nil || e.Reason() != errs.EngineUnavailable || !strings.Contains(e.Message(), task.Name) {
			t.Errorf("the task %s, which the model does not do, ended with %v", task.Name, err)
		}
	}
	w.stillWorks(t)
}

// parallel starts twice as many runs at once as the load allows: the second half
// waits for the first.
func (s *suite) parallel(t *testing.T) {
	w := s.startLoaded(t)
	n := 2 * max(2, int(s.cfg.Load.GetMaxConcurrency()))
	var all sync.WaitGroup
	for i := range n {
		sample := s.cfg.Samples[i%len(s.cfg.Samples)]
		all.Go(func() {
			answer, err := w.run(t.Context(), sample.Messages)
			if err != nil {
				t.Errorf("run %d of %d parallel runs: %v", i, n, err)
				return
			}
			checkAnswer(t, taskOf(sample.Messages), answer)
		})
	}
	all.Wait()
}

// taskOf returns the task that the messages of a run ask for.
func taskOf(messages []*enginev1.RunRequest) engines.Task {
	if len(messages) == 0 {
		return engines.Task{}
	}
	task, _ := engines.TaskOf(messages[0])
	return task
}
