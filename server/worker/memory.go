package worker

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/prometheus/procfs"
)

// treeMemory measures a process and its descendants: the sum of their
// proportional set sizes, in bytes. A page that n processes share counts 1/n
// in each; file pages that are mapped (a model opened with mmap) count when
// they are resident. The page cache beyond that does not count: the kernel
// takes it back when it needs to.
//
// The kernel walks the page tables for it, which costs about 1 ms for each
// 100 MB that are mapped in 4 KiB pages (see BenchmarkMemoryBytes); at four
// samples a second, a model of 2 GB takes some 8 % of one core while it is
// sampled. Where the kernel does not permit it (hidepid, another user), the
// resident set without shared files is taken instead, which is cheap and less.
func treeMemory(pid int) (int64, error) {
	total, err := processMemory(pid)
	if err != nil {
		return 0, err
	}
	for _, child := range children(pid) {
		// A child may end between the listing and the measurement.
		if n, err := treeMemory(child); err == nil {
			total += n
		}
	}
	return total, nil
}

func processMemory(pid int) (int64, error) {
	proc, err := procfs.NewProc(pid)
	if err != nil {
		return 0, fmt.Errorf("measure process %d: %w", pid, err)
	}
	rollup, err := proc.ProcSMapsRollup()
	if err == nil {
		return int64(rollup.Pss), nil
	}
	if !errors.Is(err, fs.ErrPermission) {
		return 0, fmt.Errorf("measure process %d: %w", pid, err)
	}
	status, err := proc.NewStatus()
	if err != nil {
		return 0, fmt.Errorf("measure process %d: %w", pid, err)
	}
	return int64(status.RssAnon + status.RssShmem), nil
}

// children lists the direct children of all threads of a process. A child of
// a child that has ended belongs to init and is not found.
func children(pid int) []int {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		return nil // the pattern is well formed
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
