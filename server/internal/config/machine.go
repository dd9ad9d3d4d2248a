package config

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// memoryLimit returns the smallest of the machine's memory and the limits of this
// process's cgroups, or 0 if none can be read. root is "/".
func memoryLimit(root string) int64 {
	limit := memTotal(filepath.Join(root, "proc/meminfo"))
	for _, file := range cgroupLimitFiles(root) {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
		if err == nil && n > 0 && (limit == 0 || n < limit) {
			limit = n
		}
	}
	return limit
}

func memTotal(file string) int64 {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) >= 2 && fields[0] == "MemTotal:" {
			kib, _ := strconv.ParseInt(fields[1], 10, 64)
			return kib << 10
		}
	}
	return 0
}

// cgroupLimitFiles returns the limit files of this process's cgroup and of all its
// parents, whose limits count too.
func cgroupLimitFiles(root string) []string {
	text, err := os.ReadFile(filepath.Join(root, "proc/self/cgroup"))
	if err != nil {
		return nil
	}
	var files []string
	for line := range strings.Lines(string(text)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		mount, file := filepath.Join(root, "sys/fs/cgroup"), "memory.max"
		if parts[0] != "0" { // version 1: only the memory controller counts
			if parts[1] != "memory" {
				continue
			}
			mount, file = filepath.Join(mount, "memory"), "memory.limit_in_bytes"
		}
		for dir := filepath.Clean("/" + parts[2]); ; dir = filepath.Dir(dir) {
			files = append(files, filepath.Join(mount, dir, file))
			if dir == "/" {
				break
			}
		}
	}
	return files
}
