package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// result is what a run has found.
type result struct {
	rounds []round
	// alone are the times of the honest client when nobody attacks: before the first
	// attack, after the last, and in a long run between them.
	alone     []map[string]series
	none      measured // the first of these times
	leases    map[string]series
	failed    []string // requests of the honest client
	open      []string // models whose breaker did not let requests through
	cancelled int64
	restarted []string // models that were loaded more than once, and not because they had been idle
	before    int64    // memory of the server before the attacks
	left      int64    // and afterwards
	leftAfter time.Duration
	memoryErr error
	ended     bool // the server ended as told
}

// round is one attack, beside the honest client.
type round struct {
	attack
	measured
	report
	times  map[string]series
	before int // index of the time alone before it; the next one is after it
}

// aloneAt returns the times of a kind of request when nobody attacked, just before
// an attack and just after it: the machine may have other work that comes and goes.
func (r *result) aloneAt(a *round, kind string) series {
	return slices.Concat(r.alone[a.before][kind], r.alone[a.before+1][kind])
}

// run attacks a server and measures it.
func run(ctx context.Context, o options, out io.Writer) (*result, error) {
	program, err := filepath.Abs(o.program)
	if err != nil {
		return nil, err
	}
	s, err := startServer(program)
	if err != nil {
		return nil, err
	}
	r := &result{}
	err = r.measure(ctx, s, o, out)
	r.ended = s.stop()
	if err != nil {
		return nil, fmt.Errorf("%w\nlog of the server:\n%s", err, s.output())
	}
	return r, nil
}

func (r *result) measure(ctx context.Context, s *server, o options, out io.Writer) error {
	h, err := newHonest(ctx, s)
	if err != nil {
		return err
	}
	defer h.close()
	if err := r.workAlone(ctx, s, h, o.length); err != nil {
		return err
	}
	r.before = usageOf(s.pid()).rss
	chosen := chosenAttacks(o.only)
	for _, a := range append(chosen, together(chosen)) {
		fmt.Fprintf(out, "%s: %s\n", a.name, a.what)
		if err := r.attack(ctx, s, h, a, o); err != nil {
			return fmt.Errorf("%s: %w", a.name, err)
		}
		if o.between {
			if err := r.workAlone(ctx, s, h, o.length); err != nil {
				return err
			}
		}
	}
	if !o.between {
		if err := r.workAlone(ctx, s, h, o.length); err != nil {
			return err
		}
	}
	r.failed, r.open = h.failed, h.open
	if r.leases, err = measureLeases(ctx, s, o.rounds); err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r.leftAfter, r.left, r.memoryErr = s.awaitMemory(limited, r.before)
	st, err := s.status(ctx)
	for _, m := range st.GetModels() {
		idle := m.GetLastEviction().GetReason() == gatewayv1.EvictionReason_EVICTION_REASON_IDLE
		if m.GetLoadCount() > 1 && !idle {
			r.restarted = append(r.restarted, fmt.Sprintf("%s (%s)", m.GetName(), m.GetLastEviction().GetDetail()))
		}
	}
	r.print(out)
	return err
}

// workAlone measures the honest client when nobody attacks.
func (r *result) workAlone(ctx context.Context, s *server, h *honest, length time.Duration) error {
	stop, err := s.watch(ctx)
	if err != nil {
		return err
	}
	times := h.work(ctx, length)
	m := stop()
	if len(r.alone) == 0 {
		r.none = m
	}
	r.alone = append(r.alone, times)
	return ctx.Err()
}

// attack attacks beside the honest client, and waits until the server is idle.
func (r *result) attack(ctx context.Context, s *server, h *honest, a attack, o options) error {
	stop, err := s.watch(ctx)
	if err != nil {
		return err
	}
	wait, err := startAttack(ctx, s, o.seed, a.name, o.length)
	if err != nil {
		return err
	}
	times := h.work(ctx, o.length)
	rep, err := wait()
	m := stop()
	if err != nil {
		return err
	}
	r.rounds = append(r.rounds, round{attack: a, measured: m, report: rep, times: times, before: len(r.alone) - 1})
	r.cancelled += rep.Cancelled
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return s.awaitIdle(limited)
}

// chosenAttacks returns the attacks that a list names; all if it is empty.
func chosenAttacks(list string) []attack {
	if list == "" {
		return attacks
	}
	var chosen []attack
	for _, a := range attacks {
		if strings.Contains(","+list+",", ","+a.name+",") {
			chosen = append(chosen, a)
		}
	}
	return chosen
}

// together returns several attacks at once as one.
func together(some []attack) attack {
	var names []string
	for _, a := range some {
		names = append(names, a.name)
	}
	return attack{name: strings.Join(names, ","), what: "all at once"}
}
