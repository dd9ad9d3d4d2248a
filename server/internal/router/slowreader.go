package router

import (
	"context"
	"time"

	"google.golang.org/protobuf/proto"

	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	"github.com/lexilingo/modelgateway/server/internal/lifecycle"
)

// slowReader gives messages to a client that may be slow to read them. While it
// is slow the lease is paused: the worker cannot send, and must not look as if it
// made no progress. If the client is further behind minReadRate than the limit,
// for one message or for many, the request is over.
type slowReader struct {
	lease  Lease
	emit   func(*enginev1.RunResponse) error
	limit  time.Duration // 0 is none
	behind arrears
	// pauseLimit is how long a pause during the present message may take; 0 is no
	// limit.
	pauseLimit time.Duration
	// read tells waitForReader that the message was read.
	read chan struct{}
	// timedOut is closed if the client was too slow. Whichever of the two channels
	// is used first decides.
	timedOut chan struct{}
	// slow calls waitForReader; it is set again for each message.
	slow *time.Timer
	// resume ends the pause. waitForReader sets it before it waits.
	resume func(context.Context) error
}

func newSlowReader(lease Lease, limit time.Duration, emit func(*enginev1.RunResponse) error) *slowReader {
	return &slowReader{lease: lease, limit: limit, emit: emit, read: make(chan struct{}), timedOut: make(chan struct{})}
}

// give gives the client one message and returns when it is read.
func (r *slowReader) give(ctx context.Context, resp *enginev1.RunResponse) error {
	after := pauseAfter
	if r.limit > 0 {
		left := max(time.Millisecond, r.limit-time.Duration(r.behind))
		after = min(after, left/2)
		r.pauseLimit = left - after
	}
	start := time.Now()
	if r.slow == nil {
		r.slow = time.AfterFunc(after, r.waitForReader)
	} else {
		r.slow.Reset(after)
	}
	var paused, timedOut bool
	err := func() error {
		defer func() { paused, timedOut = r.stopWaiting() }() // even if emit panics
		return r.emit(resp)
	}()
	// Any message is worth the time of a byte: its size need not be known then.
	if waited := time.Since(start); r.behind > 0 || waited > time.Second/minReadRate {
		r.behind.add(waited, proto.Size(resp), minReadRate)
	}
	switch {
	case timedOut:
		return errSlowReader
	case err != nil:
		return emitted(err)
	case paused:
		return r.resume(ctx)
	}
	return nil
}

// waitForReader pauses the lease until the message is read or takes too long.
func (r *slowReader) waitForReader() {
	r.resume = r.lease.Pause(lifecycle.ForReader)
	var tooLong <-chan time.Time
	if r.pauseLimit > 0 {
		timer := time.NewTimer(r.pauseLimit)
		defer timer.Stop()
		tooLong = timer.C
	}
	select {
	case <-r.read:
	case <-tooLong:
		close(r.timedOut)
	}
}

// stopWaiting ends waitForReader if it was started. It reports whether the lease
// is paused, and whether the message took too long.
func (r *slowReader) stopWaiting() (paused, timedOut bool) {
	if r.slow.Stop() {
		return false, false
	}
	select {
	case r.read <- struct{}{}:
		return true, false
	case <-r.timedOut:
		return true, true
	}
}
