package lifecycle

import (
	"context"

	"github.com/lexilingo/modelgateway/server/internal/worker"
)

// What tests look at in a lease; the router needs none of it.

func (l *Lease) Worker() worker.Worker { return l.worker }
func (l *Lease) Done() <-chan struct{} { return l.life.Done() }
func (l *Lease) Cause() error          { return context.Cause(l.life) }
