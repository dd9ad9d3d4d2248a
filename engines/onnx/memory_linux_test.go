package onnx

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

// TestMemory: runs of ever other lengths leave little behind. The largest run
// takes three tables of 16 MiB; all lengths together, kept apart, would be 2 GiB.
func TestMemory(t *testing.T) {
	s := loadModel(t, "widen.onnx")
	run := func(n int) {
		if _, err := s.Run(t.Context(), map[string]Tensor{"x": Floats(make([]float32, n), int64(n), 1)}); err != nil {
			t.Fatal(err)
		}
	}
	run(16)
	before := residentBytes(t)
	for n := 16; n <= 2048; n += 16 {
		run(n)
	}
	if grown := residentBytes(t) - before; grown > 24<<20 {
		t.Errorf("the process grew by %d MiB", grown>>20)
	} else {
		t.Logf("the process grew by %d MiB", grown>>20)
	}
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
