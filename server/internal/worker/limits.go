package worker

import (
	"fmt"

	"golang.org/x/sys/unix"
)

const (
	// openFiles is the most files that a worker may hold open.
	openFiles = 4096

	// dataAllowance is what RLIMIT_DATA grants beyond a model's limit. The
	// limit counts what is mapped writable, touched or not: thread stacks, the
	// arenas of malloc and of the Go runtime. It is a backstop for when no
	// cgroup can be had; the budget itself is held by measurement.
	dataAllowance = 256 << 20
)

// limitProcess sets the resource limits of a process that was just started. It
// has no model yet, so nothing is lost by not setting them before its start.
func limitProcess(pid int, dataBytes int64) error {
	limits := map[int]uint64{
		unix.RLIMIT_CORE:   0, // a dump would hold user's texts, and gigabytes
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
		value = min(value, now.Max) // raising the hard limit takes privileges
		if err := unix.Prlimit(pid, which, &unix.Rlimit{Cur: value, Max: value}, nil); err != nil {
			return fmt.Errorf("set resource limit %d: %w", which, err)
		}
	}
	return nil
}
