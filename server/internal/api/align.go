package api

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// maxUnaligned is how much speech of a request may wait to be aligned before the voice
// waits, in bytes: three minutes at 22.05 kHz. The last sentence may exceed it.
const maxUnaligned = 8 << 20

// aligner finds the times of the words of a request whose voice gives none. A model of
// the task pronunciation aligns each sentence while the voice goes on. What goes
// wrong with that never fails the request: finish says it. A nil aligner does nothing.
type aligner struct {
	service   *Inference
	routing   *gatewayv1.Routing
	sentences sentences
	send      func([]*gatewayv1.SpokenWord) error
	// patience is how long the request waits for the alignment in all, and
	// voicePatience how much of that before the last of the speech; 0 is no limit.
	patience, voicePatience time.Duration
	waited                  time.Duration // so far

	ctx    context.Context // of the alignment
	cancel context.CancelFunc
	more   chan struct{} // has an element if work should look at the queue
	freed  chan struct{} // has an element if a sentence has left the queue
	done   chan struct{} // closed after the last sentence

	mu      sync.Mutex
	queue   []*sentence
	backlog int   // size of the queue and of the sentence in work
	ended   bool  // nothing more is added to the queue
	failure error // the first one
	over    bool  // nothing more is aligned
}

// newAligner returns the aligner of a request; nil if the request does not ask for
// one. send takes the words of a sentence, in another goroutine. finish or stop must
// be called.
func (s *Inference) newAligner(ctx context.Context, req *gatewayv1.SynthesizeRequest, send func([]*gatewayv1.SpokenWord) error) *aligner {
	if !req.GetAlignWords() {
		return nil
	}
	a := &aligner{
		service: s, sentences: sentences{text: req.GetText()}, send: send, patience: s.patience, voicePatience: s.patience,
		// The speech must not leave the machine for this, and a general model only
		// guesses times.
		routing: &gatewayv1.Routing{LocalOnly: true, Priority: req.GetRouting().GetPriority()},
		more:    make(chan struct{}, 1), freed: make(chan struct{}, 1), done: make(chan struct{}),
	}
	if deadline, ok := ctx.Deadline(); ok {
		if part := max(1, time.Until(deadline)/4); a.voicePatience == 0 || part < a.voicePatience {
			a.voicePatience = part
		}
	}
	a.ctx, a.cancel = untilJustBefore(ctx)
	go a.work()
	return a
}

// untilJustBefore returns a context that ends before ctx's deadline, so that there is
// time to complete the answer.
func untilJustBefore(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, deadline.Add(-min(time.Until(deadline)/10, time.Second)))
}

// take takes the next piece of speech, as samples. It does not wait.
func (a *aligner) take(piece *gatewayv1.SynthesizeResponse) {
	switch {
	case a == nil:
	case a.isOver():
		a.sentences.current = nil
	default:
		a.add(a.sentences.add(piece))
	}
}

// takeAll takes all of the speech, which waits for nothing else.
func (a *aligner) takeAll(pieces []*gatewayv1.SynthesizeResponse) {
	if a == nil {
		return
	}
	for _, piece := range pieces {
		if !a.hasRoom(maxUnaligned) {
			a.awaitRoom(a.patience)
		}
		a.take(piece)
	}
}

// room tells the router if the voice must wait; see router.Request.
func (a *aligner) room() <-chan struct{} {
	if a == nil || a.hasRoom(maxUnaligned) {
		return nil
	}
	room := make(chan struct{})
	go func() {
		defer close(room)
		a.awaitRoom(a.voicePatience)
	}()
	return room
}

// awaitRoom waits until half of the queue is free, so that the models seldom change
// places, or until the alignment is over.
func (a *aligner) awaitRoom(limit time.Duration) {
	for a.wait(limit, a.freed) && !a.hasRoom(maxUnaligned/2) {
	}
}

// wait waits for an event until the alignment is over; it ends the alignment if the
// request has waited longer than a limit in all. It reports whether the event came.
func (a *aligner) wait(limit time.Duration, event <-chan struct{}) bool {
	start := time.Now()
	defer func() { a.waited += time.Since(start) }()
	var tooLong <-chan time.Time
	if limit > 0 {
		timer := time.NewTimer(limit - a.waited)
		defer timer.Stop()
		tooLong = timer.C
	}
	select {
	case <-event:
		return true
	case <-a.ctx.Done():
	case <-tooLong:
		a.fail(errs.New(errs.DeadlineExceeded, "the speech had to wait for more than %s", limit.Round(time.Millisecond)))
	}
	return false
}

// finish waits for the last words. It returns what a reader of the answer should know
// of words without times; empty if there is nothing.
func (a *aligner) finish() string {
	if a == nil {
		return ""
	}
	if !a.isOver() {
		a.add(a.sentences.end())
	}
	a.mu.Lock()
	a.ended = true
	a.mu.Unlock()
	wake(a.more)
	if !a.wait(a.patience, a.done) {
		<-a.done
	}
	a.cancel()
	if a.failure == nil {
		return ""
	}
	return "Some words have no times, because no local model of the task pronunciation could align them: " + a.failure.Error() + "."
}

// stop ends the alignment of a request that has failed. It does not wait: send may
// not return before the client's stream ends.
func (a *aligner) stop() {
	if a != nil {
		a.cancel()
	}
}

// add gives a sentence to work; nil is none.
func (a *aligner) add(s *sentence) {
	if s == nil {
		return
	}
	if s.fault != nil {
		a.fail(s.fault)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.over {
		a.queue, a.backlog = append(a.queue, s), a.backlog+s.size()
		wake(a.more)
	}
}

// next returns the next sentence, nil if none waits, and whether one may come.
func (a *aligner) next() (s *sentence, open bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.queue) == 0 {
		return nil, !a.ended
	}
	s, a.queue[0] = a.queue[0], nil
	a.queue = a.queue[1:]
	return s, true
}

// leave says that a sentence is no longer in work.
func (a *aligner) leave(s *sentence) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.backlog -= s.size()
	wake(a.freed)
}

// hasRoom reports whether less than a limit waits, or nothing is aligned any more.
func (a *aligner) hasRoom(limit int) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.over || a.backlog < limit
}

// wake puts an element into a channel that has room for one.
func wake(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// work aligns sentences until the last, or the end of ctx.
func (a *aligner) work() {
	defer close(a.done)
	defer func() {
		if p := recover(); p != nil { // it would end the server
			a.fail(fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
		}
	}()
	for a.ctx.Err() == nil {
		s, open := a.next()
		switch {
		case s != nil:
			a.align(s)
			a.leave(s)
			continue
		case !open:
			return
		}
		select {
		case <-a.more:
		case <-a.ctx.Done():
		}
	}
	a.fail(errs.From(context.Cause(a.ctx)))
}

// align sends the words of a sentence.
func (a *aligner) align(s *sentence) {
	req := &gatewayv1.PronunciationRequest{
		Format: &gatewayv1.AudioFormat{
			Encoding: gatewayv1.AudioEncoding_AUDIO_ENCODING_PCM_S16LE, SampleRateHertz: int32(s.rate), //nolint:gosec // as the engine stated it
		},
		Audio: s.pcm, ReferenceText: s.text, Routing: a.routing,
	}
	first := &enginev1.RunRequest{Payload: &enginev1.RunRequest_Pronunciation{Pronunciation: req}}
	resp, _, err := ask(a.ctx, a.service.router, request(req, first), (*enginev1.RunResponse).GetPronunciation)
	if err != nil {
		a.fail(err)
		return
	}
	if words := s.words(resp.GetWords()); len(words) > 0 && a.ctx.Err() == nil {
		_ = a.send(words) // fails only if the client is gone
	}
}

// fail keeps the first error. Unless it is about one sentence, it ends the alignment.
func (a *aligner) fail(err error) {
	e := errs.From(err)
	if e.Reason() == errs.Internal {
		e = hidden(a.ctx, a.service.log, "the alignment of words failed inside the server", err, callerAttrs(a.ctx)...)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.failure == nil {
		a.failure = e
	}
	if e.Reason() != errs.InvalidRequest {
		a.over, a.queue = true, nil
		a.cancel()
	}
}

func (a *aligner) isOver() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.over
}
