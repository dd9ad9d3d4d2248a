package main

import (
	"context"
	"time"

	"github.com/prometheus/procfs"

	"github.com/lexilingo/modelgateway/bench/internal/benchkit"
)

// peaks are a worker's memory, in bytes.
type peaks struct {
	// reserved is what its load reserved.
	reserved float64
	// seen is the highest sample of the gateway.
	seen float64
	// sampled is the highest sample of watch; proportional set size, as seen.
	sampled float64
	// mark is the highest resident set size, as the kernel noted it. A page of a
	// file that other processes have mapped as well counts in full.
	mark float64
}

// sampling is how often watch looks.
const sampling = 100 * time.Millisecond

// watch looks at the worker, from its start, until ctx ends.
func watch(ctx context.Context, g *benchkit.Gateway) peaks {
	var p peaks
	ticker := time.NewTicker(sampling)
	defer ticker.Stop()
	for {
		p.look(context.WithoutCancel(ctx), g)
		select {
		case <-ctx.Done():
			return p
		case <-ticker.C:
		}
	}
}

// look takes a sample. A worker that is not there, or not any more, is none.
func (p *peaks) look(ctx context.Context, g *benchkit.Gateway) {
	m, err := g.Model(ctx, "model")
	if err != nil || m.GetWorkerPid() == 0 {
		return
	}
	p.reserved = float64(m.GetMemory().GetReservedBytes())
	p.seen = max(p.seen, float64(m.GetMemory().GetPeakBytes()))
	if pss, err := benchkit.PSSBytes(int(m.GetWorkerPid())); err == nil {
		p.sampled = max(p.sampled, float64(pss))
	}
	if proc, err := procfs.NewProc(int(m.GetWorkerPid())); err == nil {
		if status, err := proc.NewStatus(); err == nil {
			p.mark = max(p.mark, float64(status.VmHWM))
		}
	}
}
