package main

import (
	"context"
	"time"

	"github.com/prometheus/procfs"

	"github.com/lexilingo/modelgateway/bench/internal/benchkit"
)

// peaks are a worker's memory, in bytes.
type peaks struct {
	// reserved is the reservation of the load.
	reserved float64
	// seen is the peak that the server measured.
	seen float64
	// sampled is the peak that watch measured. Both are proportional set sizes.
	sampled float64
	// mark is the peak of the resident set size, from the kernel. Pages of files
	// that other processes map too count in full.
	mark float64
	// after is the proportional set size at the last measurement, when the requests have
	// ended, and processor the processor time until then, in seconds.
	after, processor float64
}

// sampling is the interval of watch.
const sampling = 100 * time.Millisecond

// watch measures the worker from its start until ctx ends.
func watch(ctx context.Context, g *benchkit.Server) peaks {
	var p peaks
	ticker := time.NewTicker(sampling)
	defer ticker.Stop()
	for {
		p.look(context.WithoutCancel(ctx), g)
		select {
		case <-ctx.Done():
			p.look(context.WithoutCancel(ctx), g)
			return p
		case <-ticker.C:
		}
	}
}

// look measures once. It does nothing if there is no worker.
func (p *peaks) look(ctx context.Context, g *benchkit.Server) {
	m, err := g.Model(ctx, "model")
	if err != nil || m.GetWorkerPid() == 0 {
		return
	}
	p.reserved = float64(m.GetMemory().GetReservedBytes())
	p.seen = max(p.seen, float64(m.GetMemory().GetPeakBytes()))
	if pss, err := benchkit.PSSBytes(int(m.GetWorkerPid())); err == nil {
		p.after = float64(pss)
		p.sampled = max(p.sampled, p.after)
	}
	if seconds, err := benchkit.CPUSeconds(int(m.GetWorkerPid())); err == nil {
		p.processor = seconds
	}
	if proc, err := procfs.NewProc(int(m.GetWorkerPid())); err == nil {
		if status, err := proc.NewStatus(); err == nil {
			p.mark = max(p.mark, float64(status.VmHWM))
		}
	}
}
