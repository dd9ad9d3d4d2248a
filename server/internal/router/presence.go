package router

import (
	"context"
	"sync"

	"github.com/lexilingo/modelgateway/server/internal/lifecycle"
)

// Leaver is live audio whose client may go and come back.
type Leaver interface {
	Audio
	// AwaitPresence waits until the client is there, or until it is not. It returns
	// an error when ctx ends before that.
	AwaitPresence(ctx context.Context, present bool) error
}

// watchPresence pauses a lease while the client of its audio is gone: nobody would
// get the result, and others may want the lease. The returned function ends that.
func watchPresence(ctx context.Context, lease Lease, audio Audio) (stop func()) {
	client, ok := audio.(Leaver)
	if !ok {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	var watching sync.WaitGroup
	watching.Go(func() {
		for client.AwaitPresence(ctx, false) == nil {
			resume := lease.Pause(lifecycle.ForClient)
			_ = client.AwaitPresence(ctx, true) // if ctx has ended, resume says so
			if resume(ctx) != nil {
				return // the lease is lost, or the request has ended
			}
		}
	})
	return func() {
		cancel()
		watching.Wait()
	}
}
