package lifecycle

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"testing"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/server/internal/peers"
)

// The server comes first, and callers take turns whatever each has asked for.
func TestInboxTakesTurns(t *testing.T) {
	b := newInbox()
	var got []string
	add := func(put func(*call), name string) {
		put(&call{run: func(*owner) { got = append(got, name) }})
	}
	for i := range 3 {
		add(func(c *call) { b.putFor("flood", c) }, fmt.Sprint("flood", i))
	}
	add(func(c *call) { b.putFor("", c) }, "socket")
	add(func(c *call) { b.putFor("other", c) }, "other")
	add(b.putOwn, "own")
	for c := b.next(); c != nil; c = b.next() {
		c.run(nil)
	}
	if want := []string{"own", "flood0", "socket", "other", "flood1", "flood2"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if len(b.callers) != 0 || len(b.turns) != 0 {
		t.Errorf("an empty inbox has %d callers", len(b.callers))
	}
}

// A call that is withdrawn leaves nothing behind, and cannot be withdrawn later.
func TestInboxCallsCanBeWithdrawn(t *testing.T) {
	b := newInbox()
	calls := []*call{{}, {}}
	for _, c := range calls {
		b.putFor("a", c)
	}
	if !b.withdraw(calls[0]) || b.withdraw(calls[0]) {
		t.Error("a waiting call was not withdrawn once")
	}
	if c := b.next(); c != calls[1] || b.withdraw(c) {
		t.Error("the call after it was not taken")
	}
	if b.next() != nil || len(b.callers) != 0 {
		t.Error("something is left")
	}
}

// blockOwner keeps the owner busy until the returned function is called.
func blockOwner(m *Manager) func() {
	busy, release := make(chan struct{}), make(chan struct{})
	go m.post(func(*owner) { close(busy); <-release })
	<-busy
	return func() { close(release) }
}

// Requests that end while the owner is busy with others never reach it.
func TestCancelledRequestsDoNotReachTheOwner(t *testing.T) {
	m := newManager(t, &fakeLauncher{}, Options{BudgetBytes: 100 * mb}, spec("a", 80*mb, normal))
	release := blockOwner(m)
	ctx, cancel := context.WithCancel(peers.With(t.Context(), "flood"))
	const flood = 1000
	ended := make(chan error, 2*flood)
	for i := range cap(ended) {
		go func() {
			if i%2 == 0 {
				_, err := m.Acquire(ctx, Request{Model: "a"})
				ended <- err
			} else {
				ended <- m.Load(ctx, LoadRequest{Model: "a"}, nil)
			}
		}()
	}
	for m.inbox.waiting("flood") < cap(ended) {
		runtime.Gosched()
	}
	cancel()
	for range cap(ended) {
		if err := <-ended; errs.ReasonOf(err) != errs.Cancelled {
			t.Error(err)
		}
	}
	release()
	if a, err := m.Model(t.Context(), "a"); err != nil || a.GetRequestCount() != 0 || a.GetLoadCount() != 0 {
		t.Errorf("%v, %v", a, err)
	}
	if totals, err := m.Totals(t.Context()); err != nil || totals.Requests != flood || totals.Errors != flood {
		t.Errorf("they count as %d requests and %d errors, %v", totals.Requests, totals.Errors, err)
	}
}

// However many ask for the state while the owner is busy, it describes the models
// once. What an answer shows is not older than its question.
func TestStateIsReportedOnceForAll(t *testing.T) {
	m := newManager(t, &fakeLauncher{}, Options{BudgetBytes: 100 * mb}, spec("a", 80*mb, normal))
	release := blockOwner(m)
	r := m.nextReport()
	for range 1000 {
		if m.nextReport() != r {
			t.Fatal("another report")
		}
	}
	if n := m.inbox.waitingReads(); n != 1 { // the clock of the manager may have called too
		t.Errorf("%d calls of the owner for the state", n)
	}
	left, leave := context.WithCancel(t.Context())
	leave()
	if _, err := m.Totals(left); errs.ReasonOf(err) != errs.Cancelled {
		t.Errorf("a call that has ended: %v", err)
	}
	release()
	<-r.made
	if err := m.Load(t.Context(), LoadRequest{Model: "a", Pin: true}, nil); err != nil {
		t.Fatal(err)
	}
	if a, err := m.Model(t.Context(), "a"); err != nil || !a.GetPinned() {
		t.Errorf("after a load: %v, %v", a, err)
	}
}

// waiting is how many calls of a caller wait, or of the server for "".
func (b *inbox) waiting(caller string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if in, ok := b.callers[caller]; ok {
		return in.Len()
	}
	return b.own.Len()
}

// waitingReads is how many calls of the server wait that change nothing.
func (b *inbox) waitingReads() (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for e := b.own.Front(); e != nil; e = e.Next() {
		if c, ok := e.Value.(*call); ok && c.reads {
			n++
		}
	}
	return n
}
