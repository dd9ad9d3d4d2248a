package lifecycle

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
)

func live(w *waiter) { w.live = true }

// openStream leases a model for live audio.
func (s *sim) openStream(name string) *Lease {
	s.t.Helper()
	w := s.request(name, live)
	if !w.resolved {
		s.loaded(name)
	}
	return s.lease(w)
}

// waitForAudio makes a lease wait for audio, as the router does.
func (s *sim) waitForAudio(l *Lease) {
	s.do(func(*owner) { l.pause() })
	s.do(func(*owner) { l.setWaiting(ForAudio, true) })
}

func (s *sim) sendAudio(l *Lease) {
	s.t.Helper()
	s.do(func(*owner) { l.setWaiting(ForAudio, false) })
	r := &waiter{kind: waitResume, lease: l, arrival: s.clock.Now(), result: make(chan admission, 1)}
	s.do(func(o *owner) { o.resume(r) })
	s.lease(r)
}

func (s *sim) lost(l *Lease, want bool) {
	s.t.Helper()
	select {
	case <-l.Done():
		if !want {
			s.t.Fatalf("the lease is lost: %v", l.Cause())
		}
	default:
		if want {
			s.t.Fatal("the lease is held")
		}
	}
}

// Two silent streams must not block a model for other requests.
func TestSilentStreamsLoseTheirLeasesToWaitingRequests(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 100 * mb}, spec("stt", 10*mb, normal, concurrency(2)))
	first, second := s.openStream("stt"), s.openStream("stt")
	s.waitForAudio(second)
	s.advance(10 * time.Second)
	s.waitForAudio(first)
	s.advance(20 * time.Minute) // no request waits
	s.lost(first, false)
	s.lost(second, false)
	s.sendAudio(first)
	s.waitForAudio(first)
	clip := s.request("stt")
	s.lost(second, true)
	s.lost(first, false)
	e := errs.From(second.Cause())
	if e.Reason() != errs.DeadlineExceeded || e.RetryAfter() != 0 || !errors.Is(e, ErrSilent) || !strings.Contains(e.Message(), "sent no audio for") {
		t.Errorf("it ended with %v", e)
	}
	s.lease(clip)
	s.release(second, second.Cause())
	// The other one may be silent for longer.
	next := s.request("stt")
	if wake := s.o.planned.nextWake(); wake > 30*time.Second {
		t.Errorf("the owner would wake after %s", wake)
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

// A stream that sends audio, a slow reader and a whole clip keep their leases.
func TestOnlySilentStreamsLoseTheirLeases(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 100 * mb}, spec("stt", 10*mb, normal, concurrency(3)))
	sends, reads := s.openStream("stt"), s.openStream("stt")
	clip := s.lease(s.request("stt"))
	s.do(func(*owner) { reads.pause() })
	s.waitForAudio(clip)
	w := s.request("stt")
	for range 60 {
		s.workers[sends.proc].work++
		s.advance(time.Second)
	}
	s.waits(w)
	for _, l := range []*Lease{sends, reads, clip} {
		s.lost(l, false)
	}
}

// A model that is drained for another one does not wait for silent streams.
func TestASilentStreamDoesNotDelayAHandover(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 100 * mb}, spec("stt", 80*mb, normal), spec("chat", 80*mb, normal))
	stt := s.openStream("stt")
	s.waitForAudio(stt)
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

// A model that an operator unloads does not keep its next requests waiting for a
// client that is gone.
func TestAnAbsentClientDoesNotDelayAnUnloadThatRequestsWaitFor(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 100 * mb}, spec("stt", 10*mb, normal, concurrency(2)))
	absent, present := s.openStream("stt"), s.openStream("stt")
	s.waitForAudio(absent)
	s.do(func(*owner) { absent.setWaiting(ForClient, true) })
	s.do(func(o *owner) { o.byName["stt"].unload(make(chan int64, 1)) })
	s.advance(20 * time.Second)
	s.lost(absent, false) // no request waits
	next := s.request("stt")
	s.lost(absent, true)
	s.lost(present, false)
	s.release(absent, absent.Cause())
	s.waits(next)
	s.release(present, nil)
	s.reaped("stt", nil)
	s.loaded("stt")
	s.lease(next)
}

// The length of a live stream says nothing about the time that a clip waits.
func TestLiveRequestsDoNotCountInTheServiceTime(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 100 * mb}, spec("stt", 10*mb, normal, concurrency(1)))
	for range 4 {
		l := s.openStream("stt")
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
	// A clip counts with its time at work, not with its pauses.
	s.advance(2 * time.Second)
	s.do(func(*owner) { clip.pause() })
	s.advance(5 * time.Second)
	s.release(clip, nil)
	if mean := s.o.byName["stt"].stats.service; mean != 2*time.Second {
		t.Errorf("the mean is %s", mean)
	}
	s.release(s.lease(waits), nil)
	// The end of a live one is not known: a clip may wait for it.
	s.openStream("stt")
	s.waits(s.request("stt", s.within(time.Second)))
}

// A stream whose client is gone keeps its lease only while nobody waits for it.
func TestAbsentClientsLoseTheirLeasesAtOnce(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 100 * mb}, spec("stt", 10*mb, normal, concurrency(2)))
	gone, back, silent := s.openStream("stt"), s.openStream("stt"), (*Lease)(nil)
	for _, l := range []*Lease{gone, back} {
		s.do(func(*owner) { l.pause() })
		s.do(func(*owner) { l.setWaiting(ForClient, true) })
	}
	s.advance(time.Minute) // no request waits
	s.lost(gone, false)
	s.do(func(*owner) { back.setWaiting(ForClient, false) })
	silent = s.openStream("stt")
	s.lost(gone, true)
	s.lost(back, false)
	if err := gone.Cause(); errs.ReasonOf(err) != errs.QueueFull || !errors.Is(err, ErrSilent) {
		t.Error(err)
	}
	s.waitForAudio(silent)
	s.do(func(*owner) { back.setWaiting(ForClient, true) })
	s.openStream("stt")
	s.lost(back, true) // before the silent one
	s.lost(silent, false)
}
