package lifecycle

import (
	"testing"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

func estimating(bytes int64) func(*ModelSpec) {
	return func(s *ModelSpec) { s.Estimate = func() (int64, error) { return bytes, nil } }
}

// runModel loads a model, serves a request if served is set, and unloads it. It holds peak
// bytes in between.
func (s *sim) runModel(name string, peak int64, served bool) {
	s.t.Helper()
	if served {
		s.serve(name)
	} else {
		s.preload(name, false)
		s.loaded(name)
	}
	s.measured(name, peak)
	s.do(func(o *owner) { o.byName[name].unload(make(chan int64, 1)) })
	s.reaped(name, nil)
}

func (s *sim) requires(name string, bytes int64, source string) {
	s.t.Helper()
	if got, from := s.o.byName[name].required(); got != bytes || from != source {
		s.t.Fatalf("%s requires %d MiB (%s), want %d (%s)", name, got/mb, from, bytes/mb, source)
	}
}

// After enough runs that needed less than the estimate, the rest of it is given to other
// models. If a run then needs more, the budget is kept, and the next load reserves it.
func TestRunsLowerAnEstimate(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 100 * mb}, spec("a", 0, normal, estimating(90*mb)), spec("b", 40*mb, normal))
	for range learnedRuns - 1 {
		s.runModel("a", 40*mb, true)
	}
	s.requires("a", 90*mb, "estimated")
	s.runModel("a", 40*mb, true)
	s.requires("a", 50*mb, "learned")

	s.serve("b")
	w := s.request("a")
	s.state("b", ready) // it stays: both fit
	s.loaded("a")
	l := s.lease(w)
	s.measured("a", 64*mb)
	if used := s.o.snapshot().used(); used > s.o.snapshot().limits.budget+4*mb {
		t.Errorf("%d MiB are charged", used/mb)
	}
	s.state("a", ready) // it is at work: the idle model makes room
	s.reaped("b", nil)
	if e := s.o.byName["b"].lastUnload; e.GetReason() != gatewayv1.EvictionReason_EVICTION_REASON_OVER_BUDGET {
		t.Errorf("b was unloaded by %v", e)
	}
	s.release(l, nil)
	s.do(func(o *owner) { o.byName["a"].unload(make(chan int64, 1)) })
	s.reaped("a", nil)
	s.requires("a", 80*mb, "learned")
}

func TestEstimatesAreNotLoweredTooFar(t *testing.T) {
	for name, c := range map[string]struct {
		spec   ModelSpec
		peak   int64
		served bool
		want   int64
		source string
	}{
		"half of it at most":      {spec("a", 0, normal, estimating(80*mb)), 5 * mb, true, 40 * mb, "learned"},
		"almost all is needed":    {spec("a", 0, normal, estimating(80*mb)), 70 * mb, true, 80 * mb, "estimated"},
		"more is needed":          {spec("a", 0, normal, estimating(80*mb)), 90 * mb, true, 90 * mb, "learned"},
		"a declared size":         {spec("a", 80*mb, normal, estimating(50*mb)), 5 * mb, true, 80 * mb, "declared"},
		"runs without a request":  {spec("a", 0, normal, estimating(80*mb)), 5 * mb, false, 80 * mb, "estimated"},
		"runs that no one needed": {spec("a", 0, normal, estimating(80*mb)), 85 * mb, false, 85 * mb, "learned"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSim(t, Options{BudgetBytes: 100 * mb}, c.spec)
			for range learnedRuns {
				s.runModel("a", c.peak, c.served)
			}
			s.requires("a", c.want, c.source)
		})
	}
}
