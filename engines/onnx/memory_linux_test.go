package onnx

import (
	"os"
	"os/exec"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
)

// TestMemory: runs of ever other lengths leave little behind. The largest run
// takes three tables of 16 MiB; all lengths together, kept apart, would be 2 GiB.
func TestMemory(t *testing.T) {
	if grown := growth(t, Options{Device: DeviceCPU, Threads: 2}, 1); grown > 24 {
		t.Errorf("the process grew by %d MiB", grown)
	}
}

// TestArena: an arena keeps what the largest run took, and no more however many
// runs there are. In a process of its own, whose heap nothing else has shaped.
func TestArena(t *testing.T) {
	if os.Getenv("ONNX_TEST_CHILD") != "" {
		if grown := growth(t, Options{Device: DeviceCPU, Threads: 2, Arena: true}, 4); grown > 3*16+48 {
			t.Errorf("the process grew by %d MiB", grown)
		}
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestArena$", "-test.v")
	cmd.Env = append(os.Environ(), "ONNX_TEST_CHILD=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	} else {
		t.Logf("%s", out)
	}
}

// growth returns by how many MiB the process has grown after rounds of runs.
func growth(t *testing.T, options Options, rounds int) int64 {
	t.Helper()
	s := loadWith(t, "widen.onnx", options)
	run := func(n int) {
		if _, err := s.Run(t.Context(), map[string]Tensor{"x": Floats(make([]float32, n), int64(n), 1)}); err != nil {
			t.Fatal(err)
		}
	}
	run(16)
	before := residentBytes(t)
	for range rounds {
		for n := 16; n <= 2048; n += 16 {
			run(n)
		}
	}
	debug.FreeOSMemory() // the results
	grown := (residentBytes(t) - before) >> 20
	t.Logf("the process grew by %d MiB", grown)
	return grown
}

func residentBytes(t *testing.T) int64 {
	t.Helper()
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.ParseInt(strings.Fields(string(data))[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}
