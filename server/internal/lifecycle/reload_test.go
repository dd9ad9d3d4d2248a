package lifecycle

import (
	"testing"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
)

func pin(m *ModelSpec) { m.Pinned = true }

func TestALostPinnedModelIsReloaded(t *testing.T) {
	crash := errs.New(errs.EngineCrashed, "killed by signal 9")
	for name, lose := range map[string]func(*sim){
		"crash": func(s *sim) { s.reaped("a", crash) },
		"hang": func(s *sim) {
			l := s.lease(s.request("a"))
			s.advance(30 * time.Second)
			s.release(l, l.Cause())
			s.reaped("a", nil)
		},
		"growth": func(s *sim) {
			s.measured("a", 120*mb)
			s.reaped("a", nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSim(t, Options{BudgetBytes: 100 * mb, CooldownBase: 2 * time.Second}, spec("a", 20*mb, normal, pin))
			s.serve("a")
			lose(s)
			s.state("a", unloaded)
			if got := s.o.planned.nextWake(); got != 2*time.Second {
				t.Errorf("the owner would wake after %s", got)
			}
			s.advance(2 * time.Second)
			s.loaded("a")
			s.advance(time.Hour)
			s.state("a", ready)
			if s.launches["a"] != 2 {
				t.Errorf("%d launches", s.launches["a"])
			}
		})
	}
}

func TestReloadsOfAnUnstablePinnedModelSlowDown(t *testing.T) {
	crash := errs.New(errs.EngineCrashed, "exit code 3")
	s := newSim(t, Options{BudgetBytes: 100 * mb, CooldownBase: 2 * time.Second, CooldownMax: 16 * time.Second, CrashLimit: 100},
		spec("a", 20*mb, normal, pin))
	s.serve("a")
	for _, rest := range []time.Duration{2, 4, 8, 16, 16} {
		s.reaped("a", crash)
		s.advance(rest*time.Second - 1)
		s.state("a", unloaded)
		s.advance(1)
		s.loaded("a")
	}
	s.advance(time.Minute) // it stayed loaded for long
	s.reaped("a", crash)
	s.advance(2 * time.Second)
	// A load that fails is tried again, too, after its cooldown.
	p := s.proc("a")
	s.do(func(*owner) { p.loadFailed(errs.New(errs.ModelFileInvalid, "truncated")) })
	s.reaped("a", nil)
	s.state("a", failed)
	s.advance(4 * time.Second)
	s.loaded("a")
	s.state("a", ready)
}

func TestOnlyLostPinnedModelsAreReloaded(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 100 * mb}, spec("a", 20*mb, normal, pin), spec("b", 20*mb, normal), spec("never", 20*mb, normal, pin))
	s.serve("a")
	s.serve("b")
	s.reaped("b", errs.New(errs.EngineCrashed, "signal 9"))
	s.reaped("a", errs.New(errs.EngineCrashed, "signal 9"))
	done := make(chan int64, 1)
	s.do(func(o *owner) { o.byName["a"].unload(done) }) // while the reload waits
	s.advance(time.Hour)
	for _, name := range []string{"a", "b", "never"} {
		s.state(name, unloaded)
	}
	// No model is reloaded while the server shuts down.
	s.serve("never")
	s.reaped("never", errs.New(errs.EngineCrashed, "signal 9"))
	s.do(func(o *owner) { o.beginShutdown(make(chan struct{})) })
	s.advance(time.Hour)
	s.state("never", unloaded)
}
