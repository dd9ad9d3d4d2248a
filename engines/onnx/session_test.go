package onnx

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
)

func openRuntime(t *testing.T) *Runtime {
	t.Helper()
	r, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func loadModel(t *testing.T, name string) *Session {
	t.Helper()
	return loadWith(t, name, Options{Device: DeviceCPU, Threads: 2})
}

func loadWith(t *testing.T, name string, options Options) *Session {
	t.Helper()
	s, err := openRuntime(t).Load(t.Context(), filepath.Join("testdata", name), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func TestRun(t *testing.T) {
	s := loadModel(t, "double.onnx")
	in, out := s.Inputs(), s.Outputs()
	if len(in) != 2 || in[0].Name != "x" || in[0].Type != Float32 || !slices.Equal(in[0].Shape, []int64{1, -1}) ||
		in[1].Name != "n" || in[1].Type != Int64 || len(out) != 2 || out[1].Name != "m" {
		t.Fatalf("the graph is described as %v and %v", in, out)
	}
	got, err := s.Run(t.Context(), map[string]Tensor{"x": Floats([]float32{1, 2, 3}, 1, 3), "n": Ints([]int64{41}, 1)})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got["y"].Float32, []float32{2, 4, 6}) || !slices.Equal(got["y"].Shape, []int64{1, 3}) || got["m"].Int64[0] != 42 {
		t.Errorf("it computes %v", got)
	}
}

func TestRunConcurrently(t *testing.T) {
	s := loadModel(t, "double.onnx")
	var group sync.WaitGroup
	for worker := range 8 {
		group.Go(func() {
			for i := range 50 {
				x := float32(worker*1000 + i)
				got, err := s.Run(t.Context(), map[string]Tensor{"x": Floats([]float32{x, 1}, 1, 2), "n": Ints([]int64{7}, 1)})
				if err != nil || got["y"].Float32[0] != 2*x {
					t.Errorf("2·%v is %v, %v", x, got["y"], err)
				}
			}
		})
	}
	group.Wait()
}

func TestRunRefuses(t *testing.T) {
	s := loadModel(t, "double.onnx")
	x, n := Floats([]float32{1}, 1, 1), Ints([]int64{1}, 1)
	for name, inputs := range map[string]map[string]Tensor{
		"nothing":                {},
		"an input too few":       {"x": x},
		"another name":           {"x": x, "k": n},
		"another type":           {"x": n, "n": n},
		"a shape without data":   {"x": Floats([]float32{1}, 1, 5), "n": n},
		"a negative shape":       {"x": Floats([]float32{1}, 1, -1), "n": n},
		"another number of dims": {"x": Floats([]float32{1}, 1), "n": n},
	} {
		if got, err := s.Run(t.Context(), inputs); err == nil {
			t.Errorf("%s is accepted: %v", name, got)
		}
	}
	if _, err := s.Run(t.Context(), map[string]Tensor{"x": x, "n": n}); err != nil {
		t.Errorf("after them, a good run fails: %v", err)
	}
}

// TestCancel: the run would take minutes; it ends with its context, and the
// session works on.
func TestCancel(t *testing.T) {
	s := loadModel(t, "slow.onnx")
	rounds := func(n int64) map[string]Tensor { return map[string]Tensor{"n": Ints([]int64{n}, 1)} }
	if _, err := s.Run(t.Context(), rounds(1)); err != nil {
		t.Fatal(err)
	}
	for _, deadline := range []bool{false, true} {
		ctx, cancel := context.WithCancel(t.Context())
		want := context.Canceled
		if deadline {
			ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
			want = context.DeadlineExceeded
		} else {
			time.AfterFunc(50*time.Millisecond, cancel)
		}
		_, err := s.Run(ctx, rounds(10_000_000))
		cancel()
		if !errors.Is(err, want) {
			t.Errorf("the run ended with %v, want %v", err, want)
		}
	}
	if _, err := s.Run(t.Context(), rounds(1)); err != nil {
		t.Errorf("after them, a good run fails: %v", err)
	}
}

func TestClose(t *testing.T) {
	s := loadModel(t, "double.onnx")
	s.Close()
	s.Close()
	if _, err := s.Run(t.Context(), map[string]Tensor{}); err == nil {
		t.Error("a closed model runs")
	}
}

func TestBadFiles(t *testing.T) {
	dir := t.TempDir()
	whole, err := os.ReadFile(filepath.Join("testdata", "double.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, bad := range []struct {
		path   string
		reason errs.Reason
	}{
		{filepath.Join(dir, "absent.onnx"), errs.ModelFileMissing},
		{dir, errs.ModelFileInvalid},
		{write("empty.onnx", nil), errs.ModelFileInvalid},
		{write("text.onnx", []byte("<html>404</html>")), errs.ModelFileInvalid},
		{write("zeros.onnx", make([]byte, 1000)), errs.ModelFileInvalid},
		{write("ones.onnx", bytes.Repeat([]byte{0xff}, 1000)), errs.ModelFileInvalid},
		{write("half.onnx", whole[:len(whole)/2]), errs.ModelFileInvalid},
		{write("twice.onnx", append(slices.Clone(whole), whole...)), errs.ModelFileInvalid},
	} {
		_, err := openRuntime(t).Load(t.Context(), bad.path, Options{Threads: 1})
		if errs.ReasonOf(err) != bad.reason {
			t.Errorf("%s: %v", filepath.Base(bad.path), err)
		}
		if strings.Contains(errs.From(err).Message(), dir) {
			t.Errorf("%s: the message tells the path: %v", filepath.Base(bad.path), err)
		}
	}
}

func TestAbsentDevice(t *testing.T) {
	r := openRuntime(t)
	for _, device := range []string{DeviceCUDA, DeviceMPS, "npu"} {
		if slices.Contains(r.Devices(), device) {
			continue
		}
		_, err := r.Load(t.Context(), filepath.Join("testdata", "double.onnx"), Options{Device: device, Threads: 1})
		if errs.ReasonOf(err) != errs.EngineUnavailable || !strings.Contains(err.Error(), DeviceCPU) {
			t.Errorf("%s: %v", device, err)
		}
	}
}

// TestQuiet: opening the library and the first load, in a process of their own,
// write nothing to standard error but what the test itself writes.
func TestQuiet(t *testing.T) {
	if os.Getenv("ONNX_TEST_CHILD") != "" {
		loadModel(t, "double.onnx")
		fmt.Fprintln(os.Stderr, "the child's own words")
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestQuiet$")
	cmd.Env = append(os.Environ(), "ONNX_TEST_CHILD=1")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	if got := stderr.String(); got != "the child's own words\n" {
		t.Errorf("it writes %d bytes: %.500s", len(got), got)
	}
}

// TestNoTelemetry: ONNX Runtime is told not to report to its makers, and a load
// leaves nothing in the user's folder, as builds that do leave a queue there.
func TestNoTelemetry(t *testing.T) {
	if os.Getenv("ONNX_TEST_CHILD") != "" {
		loadModel(t, "double.onnx")
		if os.Getenv(noTelemetry) == "" {
			t.Error("it was not told")
		}
		return
	}
	home := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^TestNoTelemetry$")
	// CI keeps it from reporting too.
	cmd.Env = append(os.Environ(), "ONNX_TEST_CHILD=1", "HOME="+home, "XDG_CACHE_HOME=", "CI=", noTelemetry+"=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	left, err := os.ReadDir(home)
	if err != nil || len(left) > 0 {
		t.Errorf("in the user's folder are %v (%v)", left, err)
	}
}

// TestFilterStderr: only the lines that are to be dropped are, whoever writes
// them, and standard error is as before afterwards.
func TestFilterStderr(t *testing.T) {
	if os.Getenv("ONNX_TEST_CHILD") != "" {
		err := filterStderr(func(line string) bool { return line == "noise" }, func() {
			fmt.Fprint(os.Stderr, "one\nnoise\ntwo\n", strings.Repeat("noise\n", 100_000), "three")
		})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(os.Stderr, "\nfour\n")
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestFilterStderr$")
	cmd.Env = append(os.Environ(), "ONNX_TEST_CHILD=1")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	if got := stderr.String(); got != "one\ntwo\nthree\nfour\n" {
		t.Errorf("what is left: %.500q", got)
	}
}

// TestAbsentLibrary: the error says what to install or set; a process is of its
// own, since a library stays open.
func TestAbsentLibrary(t *testing.T) {
	if os.Getenv("ONNX_TEST_CHILD") != "" {
		_, err := Open()
		if errs.ReasonOf(err) != errs.EngineUnavailable || !strings.Contains(err.Error(), LibraryVariable) {
			t.Fatalf("an absent library: %v", err)
		}
		return
	}
	for name, library := range map[string]string{"absent": filepath.Join(t.TempDir(), "libonnxruntime.so"), "no library": os.Args[0], "another": "libc.so.6"} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestAbsentLibrary$")
		cmd.Env = append(os.Environ(), "ONNX_TEST_CHILD=1", LibraryVariable+"="+library)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}
