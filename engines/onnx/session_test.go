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

func TestThreadsDoNotSpin(t *testing.T) {
	openRuntime(t)
	options, err := newSessionOptions(DeviceCPU, Options{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = options.Destroy() }()
	if got, err := options.GetSessionConfigEntry(allowSpinning); err != nil || got != "0" {
		t.Errorf("%s is %q, %v", allowSpinning, got, err)
	}
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
		t.Errorf("the result is %v", got)
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
		"no inputs":              {},
		"a missing input":        {"x": x},
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
		t.Errorf("a valid run after them fails: %v", err)
	}
}

// TestCancel checks that a run of minutes ends with its context, and that the session
// can be used after it.
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
			t.Errorf("the run returns %v, want %v", err, want)
		}
	}
	if _, err := s.Run(t.Context(), rounds(1)); err != nil {
		t.Errorf("a valid run after them fails: %v", err)
	}
}

func TestClose(t *testing.T) {
	s := loadModel(t, "double.onnx")
	s.Close()
	s.Close()
	if _, err := s.Run(t.Context(), map[string]Tensor{}); err == nil {
		t.Error("a run of a closed model returns no error")
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
			t.Errorf("%s: the message contains the folder: %v", filepath.Base(bad.path), err)
		}
	}
}

func TestUnavailableDevice(t *testing.T) {
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

// TestQuiet checks that opening the library and the first load write nothing to standard
// error. It uses a new process.
func TestQuiet(t *testing.T) {
	if os.Getenv("ONNX_TEST_CHILD") != "" {
		loadModel(t, "double.onnx")
		fmt.Fprintln(os.Stderr, "written by the child")
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestQuiet$")
	cmd.Env = append(os.Environ(), "ONNX_TEST_CHILD=1")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	if got := stderr.String(); got != "written by the child\n" {
		t.Errorf("the child writes %d bytes: %.500s", len(got), got)
	}
}

// TestNoTelemetry checks that ONNX Runtime's telemetry is disabled, and that a load
// writes nothing to the user's folder, where telemetry would keep a queue.
func TestNoTelemetry(t *testing.T) {
	if os.Getenv("ONNX_TEST_CHILD") != "" {
		loadModel(t, "double.onnx")
		if os.Getenv(noTelemetry) == "" {
			t.Errorf("%s is not set", noTelemetry)
		}
		return
	}
	home := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^TestNoTelemetry$")
	// CI is removed because it disables telemetry too.
	cmd.Env = append(os.Environ(), "ONNX_TEST_CHILD=1", "HOME="+home, "XDG_CACHE_HOME=", "CI=", noTelemetry+"=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	left, err := os.ReadDir(home)
	if err != nil || len(left) > 0 {
		t.Errorf("the user's folder contains %v (%v)", left, err)
	}
}

// TestFilterStderr checks that only the selected lines are dropped, and that standard
// error is restored.
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
		t.Errorf("standard error is %.500q", got)
	}
}

// TestMissingLibrary checks the error for a missing library. It uses new processes,
// because a library stays loaded.
func TestMissingLibrary(t *testing.T) {
	if os.Getenv("ONNX_TEST_CHILD") != "" {
		_, err := Open()
		if errs.ReasonOf(err) != errs.EngineUnavailable || !strings.Contains(err.Error(), LibraryVariable) {
			t.Fatalf("a missing library: %v", err)
		}
		return
	}
	for name, library := range map[string]string{"missing": filepath.Join(t.TempDir(), "libonnxruntime.so"), "not a library": os.Args[0], "another": "libc.so.6"} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestMissingLibrary$")
		cmd.Env = append(os.Environ(), "ONNX_TEST_CHILD=1", LibraryVariable+"="+library)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}
