package benchkit

import (
	"fmt"
	"os"
	"runtime"
	"strings"

	"github.com/prometheus/procfs"
)

// Machine describes this machine for a report: processor, cores, memory, and load
// in the last minute.
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
	if load, err := fs.LoadAvg(); err == nil {
		parts = append(parts, fmt.Sprintf("load %.1f", load.Load1))
	}
	return strings.Join(parts, " · ")
}

// FileSize describes a file with its size for a report. For a folder it returns
// the path only.
func FileSize(path string) string {
	info, err := os.Stat(path)
	if err != nil || info.IsDir() {
		return path
	}
	return fmt.Sprintf("%s (%.4g MB)", path, float64(info.Size())/1e6)
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
