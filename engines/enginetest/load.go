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

// describe checks that Describe answers before any load, within describeWithin, and
// that its fields are set.
func (s *suite) describe(t *testing.T) {
	w := s.start(t)
	begin := time.Now()
	d, err := w.Describe(t.Context(), &enginev1.DescribeRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took > describeWithin {
		t.Errorf("Describe took %v", took)
	}
	if d.GetName() == "" || d.GetVersion() == "" || len(d.GetTasks()) == 0 || !slices.Contains(d.GetDevices(), "cpu") {
		t.Errorf("want a name, a version, tasks and the device cpu: %v", d)
	}
}

// load checks that progress never falls, and that the last message says ready.
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
		t.Errorf("the last message is not ready, or has no description: %v", last)
	}
	if !slices.IsSorted(progress) || progress[0] < 0 || progress[len(progress)-1] > 1 {
		t.Errorf("the reported progress is %v", progress)
	}
	if took > time.Second && len(progress) < 2 {
		t.Errorf("a load that took %v reported no progress", took)
	}
}

// loadFails checks that a load in a new worker fails with a reason, and returns the
// message.
func (s *suite) loadFails(t *testing.T, req *enginev1.LoadRequest, want errs.Reason) string {
	t.Helper()
	w := s.start(t)
	last, err := w.load(t.Context(), req, nil)
	if err == nil {
		t.Fatalf("the load succeeded: %v", last)
	}
	if w.client.Exited() {
		t.Errorf("the process ended: %v", w.cmd.ProcessState)
	}
	e := errs.From(err)
	if e.Reason() != want || !typed(err) {
		t.Errorf("the load failed with %v; want %s", err, errs.ReasonName(want))
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

// absentDevice checks that devices which Describe does not list are refused.
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

// cancelledLoad cancels a load at its first message and checks that it ends, and that
// the process still answers. A load that is done before it sees the cancellation is
// in order too.
func (s *suite) cancelledLoad(t *testing.T) {
	w := s.start(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	last, err := w.load(ctx, s.cfg.Load, func(*enginev1.LoadResponse) { cancel() })
	if ctx.Err() == nil {
		t.Errorf("the load sent no message: %v, %v", last, err)
	}
	if done := err == nil && last.GetReady(); !done && errs.ReasonOf(err) != errs.Cancelled {
		t.Errorf("a cancelled load ended with %v, %v", last, err)
	}
	if _, err := w.Describe(t.Context(), &enginev1.DescribeRequest{}); err != nil {
		t.Errorf("Describe after a cancelled load: %v", err)
	}
}

// callOrder checks that Run before Load, and a second Load, are refused.
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
