package enginetest

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/lexilingo/modelgateway/engines/errs"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
)

// describe: it answers before any load, fast, and says something.
func (s *suite) describe(t *testing.T) {
	w := s.start(t)
	begin := time.Now()
	d, err := w.Describe(t.Context(), &enginev1.DescribeRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took > describeWithin {
		t.Errorf("it took %v", took)
	}
	if d.GetName() == "" || d.GetVersion() == "" || len(d.GetTasks()) == 0 || !slices.Contains(d.GetDevices(), "cpu") {
		t.Errorf("a name, a version, tasks and the device cpu are wanted: %v", d)
	}
}

// load: progress only grows, and the last message is the ready one.
func (s *suite) load(t *testing.T) {
	w := s.start(t)
	begin := time.Now()
	var progress []float32
	last, err := w.load(t.Context(), s.cfg.Load, func(r *enginev1.LoadResponse) {
		progress = append(progress, r.GetProgress())
	})
	took := time.Since(begin)
	if err != nil {
		t.Fatal(err)
	}
	if !last.GetReady() || last.GetDescription() == "" {
		t.Errorf("the last message is not ready, or describes nothing: %v", last)
	}
	if !slices.IsSorted(progress) || progress[0] < 0 || progress[len(progress)-1] > 1 {
		t.Errorf("progress went %v", progress)
	}
	if took > time.Second && len(progress) < 2 {
		t.Errorf("a load of %v reported no progress", took)
	}
}

// loadFails loads in a fresh worker, checks the reason, and returns the message.
func (s *suite) loadFails(t *testing.T, req *enginev1.LoadRequest, want errs.Reason) string {
	t.Helper()
	w := s.start(t)
	last, err := w.load(t.Context(), req, nil)
	if err == nil {
		t.Fatalf("the load ended well: %v", last)
	}
	if w.client.Exited() {
		t.Errorf("the process ended: %v", w.cmd.ProcessState)
	}
	e := errs.From(err)
	if e.Reason() != want || !typed(err) {
		t.Errorf("it failed with %v; want %s", err, errs.ReasonName(want))
	}
	return e.Message()
}

func (s *suite) missingFile(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "no-such-model")
	s.loadFails(t, s.with(func(r *enginev1.LoadRequest) { r.Path = missing }), errs.ModelFileMissing)
}

func (s *suite) badFiles(t *testing.T) {
	for _, bad := range s.cfg.BadFiles {
		t.Run(bad.Name, func(t *testing.T) {
			s.loadFails(t, s.with(func(r *enginev1.LoadRequest) { r.Path = bad.Path }), bad.Reason)
		})
	}
}

func (s *suite) unknownParameter(t *testing.T) {
	const key = "no_such_parameter"
	req := s.with(func(r *enginev1.LoadRequest) {
		if r.Parameters == nil {
			r.Parameters = &structpb.Struct{}
		}
		if r.Parameters.Fields == nil {
			r.Parameters.Fields = map[string]*structpb.Value{}
		}
		r.Parameters.Fields[key] = structpb.NewNumberValue(1)
	})
	if message := s.loadFails(t, req, errs.InvalidRequest); !strings.Contains(message, key) {
		t.Errorf("the message does not name the parameter: %s", message)
	}
}

// absentDevice: a device that Describe does not list is refused by name.
func (s *suite) absentDevice(t *testing.T) {
	d, err := s.start(t).Describe(t.Context(), &enginev1.DescribeRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, device := range []string{"cuda", "mps"} {
		if !slices.Contains(d.GetDevices(), device) {
			s.loadFails(t, s.with(func(r *enginev1.LoadRequest) { r.Device = device }), errs.EngineUnavailable)
		}
	}
}

// cancelledLoad: cancelled at its first sign of progress, a load ends, and the
// process stays in order and can be ended. A load may be done before it hears of
// the cancel.
func (s *suite) cancelledLoad(t *testing.T) {
	w := s.start(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	last, err := w.load(ctx, s.cfg.Load, func(*enginev1.LoadResponse) { cancel() })
	if ctx.Err() == nil {
		t.Errorf("the load told nothing: %v, %v", last, err)
	}
	if done := err == nil && last.GetReady(); !done && errs.ReasonOf(err) != errs.Cancelled {
		t.Errorf("a cancelled load ended with %v, %v", last, err)
	}
	if _, err := w.Describe(t.Context(), &enginev1.DescribeRequest{}); err != nil {
		t.Errorf("Describe after a cancelled load: %v", err)
	}
}

// callOrder: Run before Load, and a second Load, are refused.
func (s *suite) callOrder(t *testing.T) {
	w := s.start(t)
	if len(s.cfg.Samples) > 0 {
		_, err := w.run(t.Context(), s.cfg.Samples[0].Messages)
		if errs.ReasonOf(err) != errs.EngineUnavailable {
			t.Errorf("a run before the load ended with %v", err)
		}
	}
	if _, err := w.load(t.Context(), s.cfg.Load, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := w.load(t.Context(), s.cfg.Load, nil); errs.ReasonOf(err) != errs.EngineUnavailable {
		t.Errorf("a second load ended with %v", err)
	}
	w.stillWorks(t)
}
