package worker

import (
	"fmt"

	"golang.org/x/sys/unix"
)

const (
	// openFiles is how many files a worker may have open.
	openFiles = 4096

	// dataAllowance is added to a model's limit for RLIMIT_DATA. That limit
	// counts all writable mappings, used or not: thread stacks, the arenas of
	// malloc and of the Go runtime. It is the last resort without cgroups; the
	// budget itself is enforced by measurement.
	dataAllowance = 256 << 20
)

// limitProcess sets the resource limits of a process that has just started. It has
// no model yet, so the limits need not be set before its start.
func limitProcess(pid int, dataBytes int64) error {
	limits := map[int]uint64{
		unix.RLIMIT_CORE:   0, // a dump would hold users' texts, and be large
		unix.RLIMIT_NOFILE: openFiles,
	}
	if dataBytes > 0 {
		limits[unix.RLIMIT_DATA] = uint64(dataBytes) + dataAllowance
	}
	for which, value := range limits {
		var now unix.Rlimit
		if err := unix.Prlimit(pid, which, nil, &now); err != nil {
			return fmt.Errorf("read resource limit %d: %w", which, err)
		}
		value = min(value, now.Max) // only a privileged process may raise the hard limit
		if err := unix.Prlimit(pid, which, &unix.Rlimit{Cur: value, Max: value}, nil); err != nil {
			return fmt.Errorf("set resource limit %d: %w", which, err)
		}
	}
	return nil
}
