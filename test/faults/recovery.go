package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"

	"github.com/lexilingo/modelgateway/test/internal/calls"
)

const (
	// mostSlower is how much longer than a load without a fault the first answer after
	// one may take.
	mostSlower = 1.2
	// mostFailures is how many requests may fail after a fault before one succeeds: the
	// one that finds out that a worker does not answer.
	mostFailures = 1
)

// recovery is the first answer after a fault that needed a load.
type recovery struct {
	took, cold time.Duration // cold is the slowest load without a fault
}

// loadCold loads a model without a fault and measures that.
func (e *episode) loadCold() error {
	_, err := e.measureCold()
	return err
}

func (e *episode) measureCold() (time.Duration, error) {
	ctx, cancel := context.WithTimeout(context.Background(), calls.Patience)
	defer cancel()
	began := time.Now()
	load, err := e.use(ctx, e.model)
	took := time.Since(began)
	if err == nil && load > 0 {
		e.mu.Lock()
		e.cold[e.model] = append(e.cold[e.model], took)
		e.mu.Unlock()
	}
	return took, err
}

func (e *episode) slowestCold() time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.cold[e.model]) == 0 {
		return 0
	}
	return slices.Max(e.cold[e.model])
}

// recover waits until the model answers again, and checks that this takes no longer
// than a load.
func (e *episode) recover() error {
	harmed := e.model
	if e.kind.another {
		e.model = target
	}
	if e.kind.heal || e.phase == evicting || e.kind.another {
		for _, m := range []string{harmed, e.model, rival} {
			if err := e.unload(m); err != nil {
				return err
			}
		}
	}
	for failures := 0; ; {
		ctx, cancel := context.WithTimeout(context.Background(), calls.Patience)
		g := e.gateway.Load()
		began, before := time.Now(), waited(g.pid())
		load, err := e.use(ctx, e.model)
		cancel()
		took := time.Since(began)
		e.history.add("recovery: %v after %v, load %v", err, took.Round(time.Millisecond), load.Round(time.Millisecond))
		if err == nil {
			if load == 0 {
				return nil
			}
			slack := e.slack(began) + max(0, waited(g.pid())-before)
			if m, err := g.model(e.context(calls.Patience), e.model); err == nil {
				slack += waited(int(m.GetWorkerPid()))
			}
			return e.checkRecovery(took, slack)
		}
		if errs.ReasonOf(err) == errs.LoadCooldown { // an operator may end a cooldown
			if err := e.unload(e.model); err != nil {
				return err
			}
			continue
		}
		if failures++; failures > mostFailures || errs.ReasonOf(err) != errs.EngineCrashed {
			e.violate("after the fault a request failed: %v", err)
		}
		if failures > 10 {
			return errors.New("the model does not recover")
		}
	}
}

// checkRecovery checks how long the first answer took. slack is what the machine
// accounts for: how late this process was, and how long gateway and worker waited for a
// processor.
func (e *episode) checkRecovery(took, slack time.Duration) error {
	limit := func() time.Duration { return time.Duration(mostSlower * float64(e.slowestCold())) }
	// The machine may be slower than it was for the loads before.
	for range 3 {
		if e.slowestCold() > 0 && took <= limit()+slack {
			break
		}
		if err := e.unload(e.model); err != nil {
			return err
		}
		again, err := e.measureCold()
		if err != nil {
			return fmt.Errorf("a load without a fault: %w", err)
		}
		e.history.add("a load without a fault takes %v", again.Round(time.Millisecond))
	}
	if took > limit()+slack {
		e.violate("recovery took %v, a load at most %v; the machine accounts for %v", took, e.slowestCold(), slack)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.recoveries = append(e.recoveries, recovery{took, slices.Max(e.cold[e.model])})
	return nil
}
