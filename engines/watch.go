package engines

import (
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
)

// watchInterval is the longest time between two reports while requests run.
const watchInterval = time.Second

// Watch implements enginev1.EngineServer. The process ends with the stream, because
// its end means that the server is gone.
func (s *server) Watch(_ *enginev1.WatchRequest, stream enginev1.Engine_WatchServer) error {
	s.mu.Lock()
	again := s.watched
	s.watched = true
	s.mu.Unlock()
	if again {
		return errs.New(errs.InvalidRequest, "the worker has a Watch stream already")
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

// awaitReport waits until a report is due: after work was counted, at most once in
// progressInterval; and once in watchInterval while requests run. An idle worker
// sends no reports, so that it uses no CPU time. awaitReport returns false when the
// stream or the process ends.
func (s *server) awaitReport(gone <-chan struct{}) bool {
	minimum := time.NewTimer(progressInterval)
	defer minimum.Stop()
	select {
	case <-minimum.C:
	case <-gone:
		return false
	case <-s.lifetime.Done():
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
	case <-s.lifetime.Done():
		return false
	}
}
