package engines

import (
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
)

// watchInterval is the most time between two reports while work is under way.
const watchInterval = time.Second

// Watch implements enginev1.EngineServer. The stream's end means that the
// gateway is gone: the process ends then.
func (s *server) Watch(_ *enginev1.WatchRequest, stream enginev1.Engine_WatchServer) error {
	s.mu.Lock()
	again := s.watched
	s.watched = true
	s.mu.Unlock()
	if again {
		return errs.New(errs.InvalidRequest, "the worker is watched already")
	}
	defer s.stop(errStopping)
	for {
		if err := stream.Send(s.report()); err != nil {
			return err
		}
		if !s.awaitReport(stream.Context().Done()) {
			return nil
		}
	}
}

func (s *server) report() *enginev1.WatchResponse {
	return &enginev1.WatchResponse{WorkCount: s.work.Count(), ActiveRunCount: s.active.Load()}
}

// awaitReport waits until a report is due: soon after work was counted, but
// not more often than progressInterval; each watchInterval while runs are under
// way; and never while nothing happens, so that an idle worker stays asleep.
// It returns false when the stream or the process ends.
func (s *server) awaitReport(gone <-chan struct{}) bool {
	least := time.NewTimer(progressInterval)
	defer least.Stop()
	select {
	case <-least.C:
	case <-gone:
		return false
	case <-s.life.Done():
		return false
	}
	var tick <-chan time.Time
	if s.active.Load() > 0 {
		t := time.NewTimer(watchInterval - progressInterval)
		defer t.Stop()
		tick = t.C
	}
	select {
	case <-s.work.wake:
		return true
	case <-tick:
		return true
	case <-gone:
		return false
	case <-s.life.Done():
		return false
	}
}
