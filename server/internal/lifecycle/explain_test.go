package lifecycle

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// planFor returns the plan of a load of a model.
func (s *sim) planFor(name string) (p *gatewayv1.PlanLoadResponse) {
	s.do(func(o *owner) { p = o.planLoad(o.byName[name], 0, nil) })
	return p
}

const cheapest = "the cheapest to load again"

func TestTheCheapestIsNamedOnlyIfNoneBeforeItIsSpared(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 100 * mb},
		spec("small", 10*mb, low), spec("large", 90*mb, normal), spec("tiny", 10*mb, normal), spec("new", 60*mb, normal))
	s.serve("small")
	s.serve("large")
	// small is before large in the order of eviction, but too small to help.
	p := s.planFor("new")
	if len(p.GetEvictions()) != 1 || p.GetEvictions()[0].GetName() != "large" || strings.Contains(p.GetEvictions()[0].GetWhy(), cheapest) {
		t.Errorf("the plan is %v", p)
	}
	p = s.planFor("tiny")
	if len(p.GetEvictions()) != 1 || p.GetEvictions()[0].GetName() != "small" || !strings.Contains(p.GetEvictions()[0].GetWhy(), cheapest) {
		t.Errorf("the plan is %v", p)
	}
}

func TestAPlanNamesTheHandover(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 100 * mb}, spec("a", 80*mb, normal), spec("b", 80*mb, normal), spec("c", 80*mb, low))
	w := s.request("a")
	s.loaded("a")
	l := s.lease(w)
	if p := s.planFor("b"); !strings.Contains(p.GetExplanation(), "A request that has waited 2s gets the memory of a by a handover") {
		t.Errorf("b: %s", p.GetExplanation())
	}
	if p := s.planFor("c"); strings.Contains(p.GetExplanation(), "handover") {
		t.Errorf("c: %s", p.GetExplanation())
	}
	s.release(l, nil)
}

func TestAnUnloadIsExplained(t *testing.T) {
	// unloadOf serves a, makes it end for b, and returns what is recorded.
	unloadOf := func(t *testing.T, opts Options, then func(*sim, *Lease)) *gatewayv1.Eviction {
		t.Helper()
		s := newSim(t, opts, spec("a", 50*mb, low), spec("b", 80*mb, normal), spec("c", 40*mb, normal))
		w := s.request("a")
		s.loaded("a")
		then(s, s.lease(w))
		s.reaped("a", nil)
		return s.o.byName["a"].lastUnload
	}
	for name, tt := range map[string]struct {
		then   func(*sim, *Lease)
		reason gatewayv1.EvictionReason
		by     string
		detail string
	}{
		"an idle victim": {
			func(s *sim, l *Lease) {
				s.release(l, nil)
				s.advance(12 * time.Second)
				s.request("b")
			},
			gatewayv1.EvictionReason_EVICTION_REASON_PRESSURE, "b", "model b needed the memory; idle for 12s, priority LOW",
		},
		"a handover": {
			func(s *sim, l *Lease) {
				s.request("b")
				s.advance(2 * time.Second)
				s.release(l, nil)
			},
			gatewayv1.EvictionReason_EVICTION_REASON_PRESSURE, "b",
			"handover: model b had waited 2s for the memory; the current requests could end first",
		},
		"the growth of another model": {
			func(s *sim, l *Lease) {
				s.release(l, nil)
				w := s.request("c")
				s.loaded("c")
				s.lease(w)
				s.advance(time.Second)
				s.measured("c", 60*mb)
			},
			gatewayv1.EvictionReason_EVICTION_REASON_OVER_BUDGET, "c",
			"model c grew beyond its reservation and the memory budget was exceeded; idle for 1s, priority LOW",
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := unloadOf(t, Options{BudgetBytes: 100 * mb}, tt.then)
			if e.GetReason() != tt.reason || e.GetRequestedBy() != tt.by || e.GetDetail() != tt.detail {
				t.Errorf("recorded %v, want %v for %s: %s", e, tt.reason, tt.by, tt.detail)
			}
		})
	}
}

// Why the holders of memory keep it depends on the request, not on its model.
func TestHoldersAreJudgedByTheDemand(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 100 * mb}, spec("pinned", 60*mb, low), spec("idle", 20*mb, normal), spec("b", 50*mb, low))
	s.preload("pinned", true)
	s.loaded("pinned")
	s.serve("idle")
	e := s.reason(s.request("b", withPriority(high)), errs.MemoryBusy)
	for _, part := range []string{"pinned (60 MiB, pinned)", "idle (20 MiB, idle; its eviction is not needed or not enough)"} {
		if !strings.Contains(e.Message(), part) {
			t.Errorf("the message %q lacks %q", e.Message(), part)
		}
	}
}

func TestTheLogHasTheReasonOfAnUnload(t *testing.T) {
	var log bytes.Buffer
	s := newSim(t, Options{BudgetBytes: 100 * mb}, spec("a", 80*mb, low), spec("b", 80*mb, normal))
	s.o.opts.Logger = slog.New(slog.NewTextHandler(&log, nil))
	s.serve("a")
	if strings.Contains(log.String(), "reason=") {
		t.Errorf("before the unload: %s", log.String())
	}
	s.request("b")
	s.reaped("a", nil)
	if !strings.Contains(log.String(), "to=UNLOADED reason=PRESSURE") {
		t.Errorf("after the unload: %s", log.String())
	}
}
