package onnx

import (
	"os"
	"os/exec"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
)

// TestMemory checks that runs of many different lengths keep little memory. The largest
// run needs three tables of 16 MiB; if the memory of each length were kept, it would be
// 2 GiB.
func TestMemory(t *testing.T) {
	if grown := growth(t, Options{Device: DeviceCPU, Threads: 2}, 1); grown > 24 {
		t.Errorf("the process grew by %d MiB", grown)
	}
}

// TestArena checks that an arena keeps the memory of the largest run and no more,
// however many runs there are. It uses a new process, whose heap is not fragmented by
// other tests.
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

// growth returns by how many MiB the process grows in rounds of runs.
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
	debug.FreeOSMemory() // frees the results
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
