package worker

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/opencontainers/cgroups"
)

// oomCounter finds out whether the kernel killed a worker for lack of memory. The
// process itself has only got SIGKILL, as from anyone. But the kernel counts such kills
// for the cgroup of the killed process, and for the whole machine.
type oomCounter struct {
	// shared is the file with the count of the server's own cgroup or, if it has none,
	// of the machine. Workers without a cgroup of their own are counted there.
	shared string

	mu      sync.Mutex
	claimed int // the part of the shared count that is explained
}

func newOOMCounter() *oomCounter {
	o := &oomCounter{shared: "/proc/vmstat"}
	if file := eventFile(ownCgroup()); exists(file) {
		o.shared = file
	}
	o.claimed = o.kills(nil)
	return o
}

// ownCgroup returns the folder of the server's cgroup; "" if it is not known.
func ownCgroup() string {
	if !cgroups.IsCgroup2UnifiedMode() {
		dir, _ := cgroups.GetOwnCgroupPath("memory") // "" if there is an error
		return dir
	}
	own, err := cgroups.ParseCgroupFile("/proc/self/cgroup")
	if err != nil {
		return ""
	}
	return filepath.Join(cgroupMount, own[""])
}

// claim reports whether the kernel killed a worker that was killed; before is the count
// at its start. A kill explains the end of one worker.
func (o *oomCounter) claim(c *cgroup, before int) bool {
	kills := o.kills(c)
	if c != nil {
		return kills > before
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.claimed = max(o.claimed, before)
	if kills <= o.claimed {
		return false
	}
	o.claimed++
	return true
}

// eventFile returns the file of a cgroup with the count.
func eventFile(dir string) string {
	if cgroups.IsCgroup2UnifiedMode() {
		return filepath.Join(dir, "memory.events")
	}
	return filepath.Join(dir, "memory.oom_control")
}

// kills returns how many processes were killed where a worker is counted; c is its own
// cgroup, nil if it has none. A count that cannot be read is 0.
func (o *oomCounter) kills(c *cgroup) int {
	file := o.shared
	if c != nil {
		file = eventFile(c.manager.Path("memory"))
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		if count, ok := strings.CutPrefix(lines.Text(), "oom_kill "); ok {
			n, _ := strconv.Atoi(count) // 0 if the kernel writes something else
			return n
		}
	}
	return 0
}

// wasKilled reports whether a process ended by SIGKILL, or as a shell whose program did.
func wasKilled(state *os.ProcessState) bool {
	status, ok := state.Sys().(syscall.WaitStatus)
	return ok && (status.Signaled() && status.Signal() == syscall.SIGKILL || status.ExitStatus() == 128+int(syscall.SIGKILL))
}

// memoryLimit says which limit a worker reached that the kernel killed.
func (p *process) memoryLimit() string {
	if p.cgroup == nil {
		return "the server's cgroup or the machine had no memory left"
	}
	return fmt.Sprintf("it exceeded its memory limit of %d bytes, or the machine had no memory left", p.spec.MemoryLimitBytes)
}
