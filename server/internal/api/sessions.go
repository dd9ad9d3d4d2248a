package api

import (
	"context"
	"crypto/rand"
	"sync"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/auth"
	"github.com/lexilingo/modelgateway/server/internal/inflight"
	"github.com/lexilingo/modelgateway/server/internal/peers"
)

const (
	// maxSessions is the limit of open sessions; a caller gets its share of them.
	maxSessions = 512
	// reopenTimeout is how long a session without a stream waits for another one.
	reopenTimeout = 30 * time.Second
)

// sessions are the open sessions of the server.
type sessions struct {
	mu      sync.Mutex
	open    map[string]*session
	timers  map[string]*time.Timer // of sessions without a stream
	closed  bool
	places  *inflight.Shares // of open sessions
	queued  *inflight.Shares // bytes of audio that wait in all sessions
	running sync.WaitGroup
}

func newSessions() *sessions {
	return &sessions{
		open: map[string]*session{}, timers: map[string]*time.Timer{},
		places: inflight.NewShares(maxSessions), queued: inflight.NewShares(totalQueueLimit),
	}
}

// start opens a session. It calls run in a new goroutine, with a context that has
// neither the deadline nor the cancellation of ctx: the session outlives the stream
// that opened it.
func (r *sessions) start(ctx context.Context, run func(context.Context, *session)) (*session, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, errs.ShuttingDown()
	}
	from := peers.Caller(ctx)
	free := r.places.Take(from, 1)
	if !free && r.endUnused(from) {
		free = r.places.Take(from, 1)
	}
	if !free {
		return nil, errs.New(errs.QueueFull, "too many transcriptions are open: %d are possible, and fewer for one caller; try again later", maxSessions)
	}
	caller := auth.CallerOf(ctx)
	ctx, cancel := caller.While(context.WithoutCancel(ctx))
	s := newSession(rand.Text(), cancel, from, r.queued)
	s.owner = caller.Owner()
	r.open[s.id] = s
	r.running.Go(func() {
		defer cancel()
		run(ctx, s)
	})
	return s, nil
}

// endUnused ends the oldest session of a caller whose client is gone, or else the
// oldest that got no audio yet, and reports whether there was one. The caller
// holds mu.
func (r *sessions) endUnused(from string) bool {
	var oldest *session
	oldestGone := false
	for _, s := range r.open {
		gone, silent := s.unused()
		if s.caller != from || !gone && (!silent || oldestGone) {
			continue
		}
		if oldest == nil || gone && !oldestGone || s.opened.Before(oldest.opened) {
			oldest, oldestGone = s, gone
		}
	}
	if oldest == nil {
		return false
	}
	oldest.end(nil, errs.New(errs.QueueFull, "too many transcriptions are open, and this one was the oldest without a client or audio: open one when there is audio"))
	r.remove(oldest)
	return true
}

// find returns an open session of the caller, or SESSION_LOST. For others it does
// not exist.
func (r *sessions) find(ctx context.Context, id string) (*session, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s, ok := r.open[id]; ok && s.owner == auth.CallerOf(ctx).Owner() {
		return s, nil
	}
	return nil, errs.New(errs.SessionLost, "this server has no open transcription with this session_id: it has ended, or it had no stream for %s, or another server has it; open a new one, with the offset of the last event as resume_from", reopenTimeout)
}

// attach returns the number of a new stream, to which the session's events now go.
func (r *sessions) attach(s *session) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t, ok := r.timers[s.id]; ok {
		t.Stop()
		delete(r.timers, s.id)
	}
	return s.attach()
}

// detach ends a stream of a session. It ends the session too if everything was
// delivered; otherwise the session waits for another stream.
func (r *sessions) detach(s *session, stream int, delivered bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case !s.detach(stream):
	case delivered || r.closed:
		r.remove(s)
	default:
		r.timers[s.id] = time.AfterFunc(reopenTimeout, func() {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.remove(s)
		})
	}
}

// remove ends a session. The caller holds mu.
func (r *sessions) remove(s *session) {
	s.cancel()
	if _, open := r.open[s.id]; open {
		r.places.GiveBack(s.caller, 1)
	}
	if t, ok := r.timers[s.id]; ok {
		t.Stop()
		delete(r.timers, s.id)
	}
	delete(r.open, s.id)
}

// close ends all sessions and waits until their transcriptions have ended.
func (r *sessions) close() {
	r.mu.Lock()
	r.closed = true
	for _, s := range r.open {
		r.remove(s)
	}
	r.mu.Unlock()
	r.running.Wait()
}

// OpenTranscription implements gatewayv1.ModelGatewayServiceServer.
func (s *Inference) OpenTranscription(req *gatewayv1.OpenTranscriptionRequest, stream gatewayv1.ModelGatewayService_OpenTranscriptionServer) error {
	open, err := s.session(stream.Context(), req)
	if err != nil {
		return err
	}
	number := s.sessions.attach(open)
	delivered, err := open.feed(stream.Context(), number, req.GetLastEventSequence(), stream.Send)
	s.sessions.detach(open, number, delivered)
	return err
}

// session returns the session that a request names, or a new one.
func (s *Inference) session(ctx context.Context, req *gatewayv1.OpenTranscriptionRequest) (*session, error) {
	if id := req.GetSessionId(); id != "" {
		return s.sessions.find(ctx, id)
	}
	cfg := req.GetConfig()
	if cfg == nil {
		return nil, errs.New(errs.ConfigNotFirst, "the request needs a config, or the session_id of an open transcription")
	}
	progress, cfg, err := newProgress(cfg)
	if err != nil {
		return nil, err
	}
	return s.sessions.start(ctx, func(ctx context.Context, open *session) {
		open.continues(progress)
		served, err := s.router.Run(ctx, transcription(cfg, open), open)
		open.end(served, endOf(ctx, err))
	})
}

// PushAudio implements gatewayv1.ModelGatewayServiceServer.
func (s *Inference) PushAudio(ctx context.Context, req *gatewayv1.PushAudioRequest) (*gatewayv1.PushAudioResponse, error) {
	open, err := s.sessions.find(ctx, req.GetSessionId())
	if err != nil {
		return nil, err
	}
	next, err := open.push(ctx, req)
	if err != nil {
		return nil, err
	}
	return &gatewayv1.PushAudioResponse{NextSequence: next}, nil
}
