package lifecycle

import (
	"fmt"
	"testing"
	"time"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// flow sends the requests of a caller to a model. Each of them works for as long as
// service says.
type flow struct {
	caller   string
	model    string
	priority gatewayv1.Priority
	service  time.Duration
	// every is the time from one request to the next, waiting many at most; a flow
	// without it has so many requests at all times.
	every   time.Duration
	waiting int

	open []*flowRequest
	next time.Time
	// worked is how long its requests were at work, and slowest the longest time from
	// a request to its end.
	worked, slowest time.Duration
	ended           int
}

type flowRequest struct {
	w     *waiter
	lease *Lease
	began time.Time
}

// run lets flows send their requests for some time.
func (s *sim) flow(d time.Duration, flows ...*flow) {
	s.t.Helper()
	const step = 50 * time.Millisecond
	for end := s.clock.Now().Add(d); s.clock.Now().Before(end); s.work(step) {
		for _, f := range flows {
			f.step(s)
		}
	}
}

func (f *flow) step(s *sim) {
	now := s.clock.Now()
	var left []*flowRequest
	for _, r := range f.open {
		if r.lease == nil && r.w.resolved {
			r.lease = s.lease(r.w)
		}
		if r.lease == nil || r.lease.workedFor(now) < f.service || r.lease.pauses > 0 {
			left = append(left, r)
			continue
		}
		f.worked += r.lease.workedFor(now)
		f.slowest = max(f.slowest, now.Sub(r.began))
		f.ended++
		s.release(r.lease, nil)
	}
	f.open = left
	for len(f.open) < f.waiting && !now.Before(f.next) {
		f.next = now.Add(f.every)
		f.open = append(f.open, &flowRequest{w: s.request(f.model, withPriority(f.priority), from(f.caller)), began: now})
	}
}

// threeModels are those of a server of two cores; each needs both.
func threeModels(t *testing.T) *sim {
	both := threads(2)
	return newCores(t, spec("stt", 10*mb, normal, both, concurrency(2)), spec("tts", 10*mb, normal, both, concurrency(2)), spec("chat", 10*mb, normal, both), spec("cloud", mb, normal, threads(0), concurrency(100)))
}

// A caller that keeps a model busy does not delay the short requests of another one
// for another model: neither those of the same priority nor of a lower one.
func TestACallersWorkDoesNotDelayOthers(t *testing.T) {
	for name, service := range map[string]time.Duration{"with short requests": 300 * time.Millisecond, "with long ones": 10 * time.Second} {
		t.Run(name, func(t *testing.T) {
			s := threeModels(t)
			greedy := &flow{caller: "greedy", model: "stt", priority: critical, service: service, waiting: 20}
			chat := &flow{caller: "a", model: "chat", priority: critical, service: 100 * time.Millisecond, every: 700 * time.Millisecond, waiting: 1}
			speech := &flow{caller: "a", model: "tts", priority: normal, service: 300 * time.Millisecond, every: 1900 * time.Millisecond, waiting: 1}
			s.flow(30*time.Second, greedy)
			s.flow(2*time.Minute, greedy, chat, speech)
			t.Logf("chat took %s, speech %s; %d and %d answers", chat.slowest, speech.slowest, chat.ended, speech.ended)
			if chat.slowest > 200*time.Millisecond || speech.slowest > 900*time.Millisecond { // after a turn of the other one
				t.Errorf("chat of 100 ms took %s, speech of 300 ms %s", chat.slowest, speech.slowest)
			}
			if greedy.worked < time.Minute {
				t.Errorf("the other one was at work for %s of 2 minutes, of which it was to have most", greedy.worked)
			}
		})
	}
}

// Two callers with more work than there are cores for have them for about as long as
// each other, whatever priorities they ask for and however many requests they send.
func TestCallersShareTheCores(t *testing.T) {
	for name, c := range map[string]struct {
		priority gatewayv1.Priority
		service  time.Duration
		waiting  int
		remote   int // callers that use no cores
	}{
		"critical":      {critical, time.Second, 1, 0},
		"many requests": {normal, time.Second, 20, 0},
		"short ones":    {critical, 100 * time.Millisecond, 4, 0},
		"long ones":     {critical, 5 * time.Minute, 2, 0},
		"beside others": {critical, time.Second, 1, 8},
	} {
		t.Run(name, func(t *testing.T) {
			s := threeModels(t)
			greedy := &flow{caller: "greedy", model: "stt", priority: c.priority, service: c.service, waiting: c.waiting}
			other := &flow{caller: "a", model: "tts", priority: normal, service: time.Second, waiting: 1}
			flows := []*flow{greedy, other}
			for i := range c.remote {
				flows = append(flows, &flow{caller: fmt.Sprint("remote ", i), model: "cloud", priority: normal, service: time.Hour, waiting: 1})
			}
			s.flow(time.Minute, greedy)
			s.flow(2*time.Minute, flows...)
			t.Logf("%s of 2 minutes", other.worked)
			if other.worked < 50*time.Second || other.worked > 90*time.Second {
				t.Errorf("the other one was at work for %s of 2 minutes", other.worked)
			}
		})
	}
}

// Of one caller's requests, only the priority counts, however long it has used the
// cores; and what it used is forgotten.
func TestOneCallersPrioritiesHold(t *testing.T) {
	s := threeModels(t)
	long := &flow{caller: "a", model: "stt", priority: normal, service: time.Second, waiting: 4}
	chat := &flow{caller: "a", model: "chat", priority: critical, service: 100 * time.Millisecond, every: 700 * time.Millisecond, waiting: 1}
	s.flow(2*time.Minute, long, chat)
	if chat.slowest > 650*time.Millisecond { // after a turn of the lower priority
		t.Errorf("chat took %s", chat.slowest)
	}
	if len(s.o.coreUse.callers) == 0 {
		t.Error("no use is counted")
	}
	for _, f := range []*flow{long, chat} {
		for len(f.open) > 0 {
			f.waiting = 0
			s.flow(time.Second, f)
		}
	}
	s.work(10 * time.Minute)
	if n := len(s.o.coreUse.callers); n > 0 {
		t.Errorf("%d callers are not forgotten", n)
	}
}

// A request waits for at most a turn of a caller that keeps the cores busy with a higher
// priority, whoever of the two has used them before.
func TestACallerWithShortRequestsWaitsForATurnAtMost(t *testing.T) {
	for name, before := range map[string]time.Duration{"came together": 0, "came last": time.Minute} {
		t.Run(name, func(t *testing.T) {
			s := threeModels(t)
			greedy := &flow{caller: "greedy", model: "chat", priority: critical, service: 100 * time.Millisecond, waiting: 20}
			s.flow(before, greedy)
			speech := &flow{caller: "a", model: "tts", priority: normal, service: 100 * time.Millisecond, every: time.Second, waiting: 1}
			s.flow(30*time.Second, speech, greedy)
			if speech.slowest > 600*time.Millisecond || speech.ended < 29 {
				t.Errorf("speech of 100 ms took %s; %d answers in 30 s", speech.slowest, speech.ended)
			}
		})
	}
}
