package lifecycle

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
)

func live(w *waiter) { w.live = true }

// speaker leases a model for live audio.
func (s *sim) speaker(name string) *Lease {
	s.t.Helper()
	w := s.request(name, live)
	if !w.resolved {
		s.loaded(name)
	}
	return s.lease(w)
}

// hushed makes a lease wait for audio, as the router does.
func (s *sim) hushed(l *Lease) {
	s.do(func(*owner) { l.pause() })
	s.do(func(*owner) { l.setWaitingForAudio(true) })
}

func (s *sim) speaks(l *Lease) {
	s.t.Helper()
	s.do(func(*owner) { l.setWaitingForAudio(false) })
	r := &waiter{kind: waitResume, lease: l, arrival: s.clock.Now(), result: make(chan admission, 1)}
	s.do(func(o *owner) { o.resume(r) })
	s.lease(r)
}

func (s *sim) lost(l *Lease, want bool) {
	s.t.Helper()
	select {
	case <-l.done:
		if !want {
			s.t.Fatalf("the lease is lost: %v", l.Cause())
		}
	default:
		if want {
			s.t.Fatal("the lease is held")
		}
	}
}

// Two streams that say nothing must not shut a model for everybody.
func TestSilentStreamsGiveTheirPlacesToThoseWhoWait(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 100 * mb}, spec("stt", 10*mb, normal, concurrency(2)))
	first, second := s.speaker("stt"), s.speaker("stt")
	s.hushed(second)
	s.advance(10 * time.Second)
	s.hushed(first)
	s.advance(20 * time.Minute) // nobody waits
	s.lost(first, false)
	s.lost(second, false)
	s.speaks(first)
	s.hushed(first)
	clip := s.request("stt")
	s.lost(second, true)
	s.lost(first, false)
	e := errs.From(second.Cause())
	if e.Reason() != errs.DeadlineExceeded || e.RetryAfter() != 0 || !errors.Is(e, ErrSilent) || !strings.Contains(e.Message(), "sent no audio for") {
		t.Errorf("it ended with %v", e)
	}
	s.lease(clip)
	s.release(second, second.Cause())
	// The other one has its time yet.
	next := s.request("stt")
	if wake := s.o.planned.nextWake(); wake > 30*time.Second {
		t.Errorf("it sleeps for %s", wake)
	}
	for range 29 {
		s.workers[first.proc].work++ // for the clip
		s.advance(time.Second)
	}
	s.waits(next)
	s.advance(time.Second)
	s.lost(first, true)
	l := s.lease(next)
	if p := l.proc; len(p.leases) != 2 || p.working != 2 {
		t.Errorf("%d leases, %d at work", len(p.leases), p.working)
	}
}

// Who speaks, reads slowly or has a whole clip does not lose the place.
func TestOnlySilenceLosesThePlace(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 100 * mb}, spec("stt", 10*mb, normal, concurrency(3)))
	talks, reads := s.speaker("stt"), s.speaker("stt")
	clip := s.lease(s.request("stt"))
	s.do(func(*owner) { reads.pause() })
	s.hushed(clip)
	w := s.request("stt")
	for range 60 {
		s.workers[talks.proc].work++
		s.advance(time.Second)
	}
	s.waits(w)
	for _, l := range []*Lease{talks, reads, clip} {
		s.lost(l, false)
	}
}

// A model that is drained for another one does not wait for the silent.
func TestSilenceHoldsUpNoHandover(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 100 * mb}, spec("stt", 80*mb, normal), spec("chat", 80*mb, normal))
	stt := s.speaker("stt")
	s.hushed(stt)
	s.advance(29 * time.Second)
	chat := s.request("chat")
	s.advance(900 * time.Millisecond)
	s.lost(stt, false)
	s.advance(2 * time.Second)
	s.lost(stt, true)
	s.reaped("stt", nil)
	s.loaded("chat")
	s.lease(chat)
}

// How long someone speaks says nothing about how long a clip waits.
func TestLiveRequestsAreNoMeasureOfClips(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 100 * mb}, spec("stt", 10*mb, normal, concurrency(1)))
	for range 4 {
		l := s.speaker("stt")
		s.workers[l.proc].work++
		s.advance(25 * time.Second)
		s.release(l, nil)
	}
	clip := s.lease(s.request("stt", s.within(8*time.Second)))
	if mean := s.o.byName["stt"].stats.service; mean != 0 {
		t.Errorf("the mean is %s", mean)
	}
	waits := s.request("stt", s.within(8*time.Second))
	s.waits(waits)
	// A clip counts with its work, not with what its caller took to read.
	s.advance(2 * time.Second)
	s.do(func(*owner) { clip.pause() })
	s.advance(5 * time.Second)
	s.release(clip, nil)
	if mean := s.o.byName["stt"].stats.service; mean != 2*time.Second {
		t.Errorf("the mean is %s", mean)
	}
	s.release(s.lease(waits), nil)
	// Nobody knows when a live one ends: a clip may wait for it.
	s.speaker("stt")
	s.waits(s.request("stt", s.within(time.Second)))
}
