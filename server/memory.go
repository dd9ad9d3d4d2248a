package server

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// workingMemory is what the server may use beside the memory that requests share,
	// before its garbage is collected more often: copies of messages while they are
	// decoded, connections, recordings that are kept for fallbacks.
	workingMemory = 128 << 20
	// tidyInterval is the time between two looks for memory that is free, and
	// mostFree how much may be.
	tidyInterval = 30 * time.Second
	mostFree     = 4 << 20
)

// limitMemory bounds the memory of this process: garbage counts too. It is a goal and
// not a limit for what is in use. GOMEMLIMIT in the environment takes precedence.
func limitMemory(shared int64) {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(shared + workingMemory)
	}
}

// tidyMemory returns memory that is free to the system, until ctx ends. The Go runtime
// keeps some of what it once needed.
func tidyMemory(ctx context.Context) {
	tick := time.NewTicker(tidyInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if freeMemory() > mostFree {
				debug.FreeOSMemory()
			}
		}
	}
}

// freeMemory returns how many bytes of the heap are free, or would be after a
// collection.
func freeMemory() uint64 {
	s := []metrics.Sample{
		{Name: "/memory/classes/heap/free:bytes"},
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/gc/heap/live:bytes"},
	}
	metrics.Read(s)
	free, objects, live := s[0].Value.Uint64(), s[1].Value.Uint64(), s[2].Value.Uint64()
	return free + objects - min(objects, live)
}
