package worker

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/procfs"
)

const (
	// walkAge is how long the result of a walk of the page tables is used.
	walkAge = 5 * time.Second
	// walkSlack is by how much the resident set may change before the next walk.
	walkSlack = 4 << 20
)

// meter measures a process and its descendants: the sum of their proportional
// set sizes, in bytes. A page that n processes share counts 1/n in each. Mapped
// file pages (a model opened with mmap) count while they are resident. Other page
// cache does not count: the kernel frees it when it needs memory.
//
// For a proportional set size the kernel walks the page tables, which takes about
// 2 ms for each 100 MB in pages of 4 KiB. The resident set size is cheap to read.
// Between walks, the size is that of the last walk plus the change of the resident
// set since, which is exact for private memory. A sample of a worker that does not
// grow takes less than 1 ms, whatever its size (see BenchmarkMemoryBytes).
//
// If the kernel does not permit the walk (another user, a hardened sandbox), the
// size is the resident set without mapped files, which is too low.
type meter struct {
	mu    sync.Mutex
	walks map[int]walk // by process
}

// walk is the result of a walk of the page tables.
type walk struct {
	resident, proportional int64
	at                     time.Time
}

// measure returns the size of a process and its descendants.
func (m *meter) measure(pid int) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	walks := make(map[int]walk, len(m.walks))
	total, err := m.tree(pid, walks)
	m.walks = walks // without those of children that have ended
	return total, err
}

func (m *meter) tree(pid int, walks map[int]walk) (int64, error) {
	total, err := m.process(pid, walks)
	if err != nil {
		return 0, err
	}
	for _, child := range children(pid) {
		// A child may end between the listing and the measurement.
		if n, err := m.tree(child, walks); err == nil {
			total += n
		}
	}
	return total, nil
}

func (m *meter) process(pid int, walks map[int]walk) (int64, error) {
	proc, err := procfs.NewProc(pid)
	if err != nil {
		return 0, fmt.Errorf("measure process %d: %w", pid, err)
	}
	stat, err := proc.Stat()
	if err != nil {
		return 0, fmt.Errorf("measure process %d: %w", pid, err)
	}
	resident, now := int64(stat.ResidentMemory()), time.Now()
	last, known := m.walks[pid]
	change := resident - last.resident
	if !known || change > walkSlack || change < -walkSlack || now.Sub(last.at) > walkAge {
		proportional, err := walkProcess(proc)
		if err != nil {
			return 0, fmt.Errorf("measure process %d: %w", pid, err)
		}
		last, change = walk{resident: resident, proportional: proportional, at: now}, 0
	}
	walks[pid] = last
	return max(0, last.proportional+change), nil
}

// walkProcess returns the proportional set size of a process.
func walkProcess(proc procfs.Proc) (int64, error) {
	rollup, err := proc.ProcSMapsRollup()
	if err == nil {
		return int64(rollup.Pss), nil
	}
	if !errors.Is(err, fs.ErrPermission) {
		return 0, err
	}
	status, err := proc.NewStatus()
	return int64(status.RssAnon + status.RssShmem), err
}

// children lists the direct children of all threads of a process. The children of
// a child that has ended belong to the server or to init and are not found.
func children(pid int) []int {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		return nil // the pattern is valid
	}
	var pids []int
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			continue // the thread has ended
		}
		for _, field := range strings.Fields(string(data)) {
			if child, err := strconv.Atoi(field); err == nil {
				pids = append(pids, child)
			}
		}
	}
	return pids
}
