package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/test/internal/calls"
)

// mostLate is how much later than its deadline a request may end.
const mostLate = 500 * time.Millisecond

// episode is one fault, from what leads to it until the gateway has recovered.
type episode struct {
	planned
	*lane
	random *rand.Rand
	model  string // that gets the fault
	pid    int    // of its worker
	riders sync.WaitGroup
	// leave ends the request that made the phase, as a client that goes away.
	leave    context.CancelFunc
	harm     time.Time // when the fault began
	harmEnds time.Time
	ends     chan riderEnd
}

// riderEnd is how a request ended that was there when the fault came.
type riderEnd struct {
	call  string
	model string
	calls.End
}

// run plays a fault.
func (l *lane) run(p planned) error {
	l.history.reset()
	began := time.Now()
	l.history.add("%s begins", p)
	e := &episode{planned: p, lane: l, random: rand.New(rand.NewPCG(p.seed, 1)), model: target, ends: make(chan riderEnd, 64)} //nolint:gosec // nothing secret
	l.present.Store(e)
	if p.kind.model != nil {
		e.model = p.kind.model(e)
	}
	if err := e.reach(); err != nil {
		return fmt.Errorf("%s: the phase cannot be reached: %w", p, err)
	}
	e.harm = time.Now()
	if p.kind.wide {
		l.beginOutage()
	}
	l.history.add("the fault comes: %s, worker %d", p.kind.name, e.pid)
	undo, err := p.kind.inject(e)
	if err != nil {
		return fmt.Errorf("%s: %w", p, err)
	}
	e.rideAlong()
	if undo != nil {
		e.hold()
		undo()
		l.history.add("the fault ends")
	}
	e.harmEnds = time.Now()
	if p.kind.wide {
		l.endOutage()
	}
	e.riders.Wait()
	close(e.ends)
	if p.kind.check != nil {
		p.kind.check(e)
	}
	if err := e.recover(); err != nil {
		return fmt.Errorf("%s: %w", p, err)
	}
	if took := time.Since(began); l.verbose {
		fmt.Printf("%s: %v, model %s\n", p, took.Round(time.Millisecond), e.model)
		const long = 10 * time.Second
		if took > long || l.only != "" {
			fmt.Println(strings.Join(append(l.history.copy(), l.gateway.Load().output.last(30)...), "\n"))
		}
	}
	l.mu.Lock()
	l.done = append(l.done, p)
	l.mu.Unlock()
	return nil
}

// hold lets a fault last that has to be ended.
func (e *episode) hold() {
	if e.kind.wide {
		time.Sleep(time.Duration(300+e.random.IntN(900)) * time.Millisecond)
		return
	}
	e.riders.Wait()
}

// slowText is a chat whose answer takes a while, by engine-fault.
const slowText = `fault: {"token_count":60,"token_interval_us":10000}`

// slow returns a chat whose answer takes a while.
func (e *episode) slow() calls.Ask {
	a := calls.Ask{Model: e.model, Text: slowText, Deadline: e.kind.deadlineOf()}
	switch {
	case e.model == real:
		a.Text, a.Tokens = "Hello. "+strings.Repeat("I am fine. ", 8), 2000
	case e.kind.text != nil:
		a.Text = e.kind.text(e)
	}
	return a
}

// reach brings the model into the phase.
func (e *episode) reach() error {
	for _, m := range []string{e.model, rival} {
		if err := e.unload(m); err != nil {
			return err
		}
	}
	if e.phase == loading {
		return e.reachLoading()
	}
	if err := e.loadCold(); err != nil {
		return err
	}
	switch e.phase {
	case midStream, draining:
		e.beginStream()
		if e.phase == draining {
			e.riders.Go(func() { _ = e.unload(e.model) })
		}
	case evicting:
		e.ride(calls.StreamChats()[0], calls.Ask{Model: rival, Text: calls.Hello, Deadline: 20 * time.Second}, true)
	}
	want := gatewayv1.ModelState_MODEL_STATE_READY
	if e.phase == evicting || e.phase == draining {
		want = gatewayv1.ModelState_MODEL_STATE_DRAINING
	}
	m, err := e.await(e.model, func(m *gatewayv1.Model) bool {
		return m.GetState() == want || e.phase != idle && m.GetWorkerPid() == 0
	})
	e.pid = int(m.GetWorkerPid())
	return err
}

func (e *episode) reachLoading() error {
	e.ride(pick(e.random, calls.StreamChats()), calls.Ask{Model: e.model, Text: calls.Hello, Deadline: 15 * time.Second}, true)
	m, err := e.await(e.model, func(m *gatewayv1.Model) bool {
		return m.GetWorkerPid() > 0 || m.GetState() == gatewayv1.ModelState_MODEL_STATE_FAILED || m.GetState() == gatewayv1.ModelState_MODEL_STATE_READY
	})
	e.pid = int(m.GetWorkerPid())
	return err
}

// beginStream begins a request whose answer takes a while, and waits for its first
// piece.
func (e *episode) beginStream() {
	first := make(chan struct{})
	a := e.slow()
	a.First = sync.OnceFunc(func() { close(first) })
	ended := e.ride(pick(e.random, calls.StreamChats()), a, true)
	select {
	case <-first:
	case <-ended: // at once, because of its fault
	}
}

func pick[T any](r *rand.Rand, some []T) T { return some[r.IntN(len(some))] }

// rideAlong makes requests that meet the fault.
func (e *episode) rideAlong() {
	kinds := calls.Inferences()
	if e.model == real {
		kinds = slices.DeleteFunc(kinds, func(c calls.Call) bool { return !c.Written })
	}
	for range 2 {
		c, deadline := pick(e.random, kinds), pick(e.random, []time.Duration{300, 1000, 3000, 12000})*time.Millisecond
		if c.Session { // whose deadline ends only the stream: the session would hold its place for half a minute
			deadline = 12 * time.Second
		}
		e.ride(c, calls.Ask{Model: e.model, Text: calls.Hello, Deadline: deadline}, false)
	}
	// This one names no model, and may be answered by another.
	e.ride(pick(e.random, calls.StreamChats()), calls.Ask{Text: calls.Hello, Deadline: 12 * time.Second}, false)
}

// ride makes a request in the background and checks its end. own: it made the phase,
// and its client may leave.
func (e *episode) ride(c calls.Call, a calls.Ask, own bool) (ended <-chan struct{}) {
	ctx, cancel := patient(a.Deadline)
	if own {
		e.leave = cancel
	}
	done := make(chan struct{})
	e.riders.Go(func() {
		defer close(done)
		defer cancel()
		e.history.add("%s to %q begins, deadline %v", c.Name, a.Model, a.Deadline)
		began := time.Now()
		g := e.gateway.Load()
		waited := waitsFrom(began.Add(a.Deadline), os.Getpid(), g.pid())
		end := c.Do(ctx, g.Link, a)
		took := time.Since(began)
		e.history.add("%s to %q ended after %v: %s", c.Name, a.Model, took.Round(time.Millisecond), end)
		e.count(g, end.Reason != calls.Broken && end.Reason != calls.Unanswered && end.Reason != calls.Untyped)
		e.checkEnd(c, a, end, took, waited(), own)
		e.ends <- riderEnd{c.Name, a.Model, end}
	})
	return done
}

// patient returns a context that ends long after a deadline. It has none itself: the
// client libraries would tell the gateway that one.
func patient(deadline time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	timer := time.AfterFunc(deadline+calls.Patience, cancel)
	return ctx, func() {
		timer.Stop()
		cancel()
	}
}

// usual are the ends that a request may have when its model is harmed.
var usual = []string{"", "ENGINE_CRASHED", "DEADLINE_EXCEEDED", "LOAD_COOLDOWN", "MEMORY_BUSY"}

// waitsFrom returns a function that returns how long the threads of some processes have
// waited for a processor since a time. A stream that floods its client makes all of them
// work until its end, and each waits for the others.
func waitsFrom(from time.Time, pids ...int) func() time.Duration {
	sum := func() (sum time.Duration) {
		for _, pid := range pids {
			sum += waited(pid)
		}
		return sum
	}
	var before atomic.Int64
	timer := time.AfterFunc(time.Until(from), func() { before.Store(int64(sum())) })
	return func() time.Duration {
		if timer.Stop() { // it is not that time yet
			return 0
		}
		// A process that has ended waits no longer.
		return max(0, sum()-time.Duration(before.Load()))
	}
}

// checkEnd checks that a request ended once, with a type, in time. waited is how long
// the processes that serve it have waited for a processor since its deadline.
func (e *episode) checkEnd(c calls.Call, a calls.Ask, got calls.End, took, waited time.Duration, own bool) {
	if own && e.kind.leaves && (got.Reason == calls.Unanswered || got.Reason == calls.Broken) {
		return // its client left
	}
	if got.Reason == calls.Reset && took >= a.Deadline {
		got.Reason = "DEADLINE_EXCEEDED"
	}
	may := slices.Concat(usual, e.kind.reasons)
	if !slices.Contains(may, got.Reason) {
		e.violate("%s to %q ended with %s, want one of %q", c.Name, a.Model, got, may)
	}
	if a.Deadline == 0 {
		return
	}
	late := took - a.Deadline
	slack := e.slack(time.Now().Add(-late)) + waited
	most := mostLate + slack
	if e.kind.wide {
		most += max(0, time.Since(e.harm))
	}
	if late > most {
		e.violate("%s to %q ended %v after its deadline; the machine accounts for %v", c.Name, a.Model, late, slack)
	}
}

// signal sends a signal to the worker of the episode, if it still runs.
func (e *episode) signal(sig syscall.Signal) {
	if e.pid > 0 {
		_ = syscall.Kill(e.pid, sig)
	}
}
