package benchkit

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/prometheus/procfs"
)

// Machine describes this machine for a report: processor, cores and memory.
func Machine() string {
	parts := []string{fmt.Sprintf("%d cores", runtime.NumCPU())}
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		return parts[0]
	}
	if cpus, err := fs.CPUInfo(); err == nil && len(cpus) > 0 {
		parts = append([]string{cpus[0].ModelName}, parts...)
	}
	if memory, err := fs.Meminfo(); err == nil && memory.MemTotal != nil {
		parts = append(parts, fmt.Sprintf("%.0f GiB", float64(*memory.MemTotal)/(1<<20)))
	}
	return strings.Join(parts, " · ")
}

// Load1 returns the load of this machine in the last minute; 0 if it is not known.
func Load1() float64 {
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		return 0
	}
	load, err := fs.LoadAvg()
	if err != nil {
		return 0
	}
	return load.Load1
}

// FileSize describes a file for a report, by its name without folders and its size.
// For a folder it returns the name only.
func FileSize(path string) string {
	name := filepath.Base(path)
	info, err := os.Stat(path)
	if err != nil || info.IsDir() {
		return name
	}
	return fmt.Sprintf("%s (%.4g MB)", name, float64(info.Size())/1e6)
}

// PSSBytes returns the proportional set size of a process.
func PSSBytes(pid int) (int64, error) {
	proc, err := procfs.NewProc(pid)
	if err != nil {
		return 0, err
	}
	rollup, err := proc.ProcSMapsRollup()
	return int64(rollup.Pss), err
}

// CPUSeconds returns the processor time that a process has used, with the
// resolution of the kernel's clock (10 ms).
func CPUSeconds(pid int) (float64, error) {
	proc, err := procfs.NewProc(pid)
	if err != nil {
		return 0, err
	}
	stat, err := proc.Stat()
	return stat.CPUTime(), err
}
