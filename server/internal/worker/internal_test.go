package worker

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/lexilingo/modelgateway/engines/errs"
)

func testSink() (*logSink, *bytes.Buffer, *time.Time) {
	var out bytes.Buffer
	now := time.Unix(1000, 0)
	s := newLogSink(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})))
	s.now = func() time.Time { return now }
	return s, &out, &now
}

func TestLogSinkKeepsStructureAndLevels(t *testing.T) {
	s, out, _ := testSink()
	s.drain(strings.NewReader(`{"@level":"warn","@message":"slow","@timestamp":"x","tokens":3}` + "\n" +
		"llama_load: plain text of a library\n" +
		`{"not": "ours"}` + "\n" +
		"\n" +
		"panic: runtime error\n" +
		`{"@level":"trace","@message":"deep"}` + "\n"))
	for _, want := range []string{
		`level=WARN msg=slow tokens=3`,
		`level=DEBUG msg="llama_load: plain text of a library"`,
		`level=DEBUG msg="{\"not\": \"ours\"}"`,
		`level=ERROR msg="panic: runtime error"`,
		`level=DEBUG msg=deep`,
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the log lacks %s:\n%s", want, out)
		}
	}
	if got := s.lastLine(); got != "panic: runtime error" {
		t.Errorf("the line that explains the crash is %q", got)
	}
	if got := s.lastLines(2); !slices.Equal(got, []string{"panic: runtime error", "deep"}) {
		t.Errorf("the last lines are %q", got)
	}
}

func TestLogSinkLimitsAFlood(t *testing.T) {
	s, out, now := testSink()
	for i := range 10 * linesPerSecond {
		s.line(fmt.Appendf(nil, "line %d", i))
	}
	if n := strings.Count(out.String(), "\n"); n != linesPerSecond {
		t.Errorf("%d lines were logged in one second", n)
	}
	if got := s.lastLine(); got != fmt.Sprintf("line %d", 10*linesPerSecond-1) {
		t.Errorf("the last line is %q, which was not kept", got)
	}
	*now = now.Add(time.Second)
	s.line([]byte("after"))
	if want := fmt.Sprintf("dropped_lines=%d", 9*linesPerSecond); !strings.Contains(out.String(), want) {
		t.Errorf("the log lacks %s", want)
	}
	out.Reset()
	s.finish()
	if out.Len() > 0 {
		t.Errorf("the dropped lines were reported twice: %s", out)
	}
}

func TestLogSinkCutsLongLines(t *testing.T) {
	s, out, _ := testSink()
	s.drain(strings.NewReader(strings.Repeat("x", 1<<20) + "\nnext\n\xff\xfe\n"))
	if out.Len() > 2*lineBytes || !strings.Contains(out.String(), "msg=next") {
		t.Errorf("a long line left %d bytes in the log", out.Len())
	}
}

func TestLineWriterJoinsPieces(t *testing.T) {
	s, out, _ := testSink()
	w := &lineWriter{sink: s}
	for _, piece := range []string{"one ", "line\ntw", "o\nrest"} {
		if n, err := w.Write([]byte(piece)); n != len(piece) || err != nil {
			t.Errorf("wrote %d, %v", n, err)
		}
	}
	if got := s.lastLines(9); !slices.Equal(got, []string{"one line", "two"}) {
		t.Errorf("the lines are %q; logged\n%s", got, out)
	}
}

func TestEnvironment(t *testing.T) {
	got := environment([]string{
		"PATH=/bin", "HOME=/root", "SECRET=x", "GEMINI_API_KEY=x", "MG_THREADS=2", "MG_API_TOKEN=x",
		"MG_PASSWORD_FILE=x", "LD_LIBRARY_PATH=/lib", "LD_PRELOAD=/evil.so", "=odd", "odd",
		// Variables that the documents of engines name.
		"MG_ONNXRUNTIME=/o.so", "MG_GGML_BACKENDS=/b", "MG_ESPEAK_DATA=/e",
	}, []string{"PATH=/own"})
	want := append(defaults(),
		"PATH=/bin", "HOME=/root", "MG_THREADS=2", "LD_LIBRARY_PATH=/lib",
		"MG_ONNXRUNTIME=/o.so", "MG_GGML_BACKENDS=/b", "MG_ESPEAK_DATA=/e", "PATH=/own",
	)
	if !slices.Equal(got, want) {
		t.Errorf("the environment is %q; want %q (os/exec takes the last of equal names)", got, want)
	}
}

// Threads of OpenMP sleep, and the C library gives memory back, unless the server's or
// the model's environment says otherwise.
func TestDefaultsOfTheEnvironment(t *testing.T) {
	for name, tt := range map[string]struct {
		server, added []string
		want          map[string]string // what the worker finds: the last of equal names
	}{
		"default": {want: map[string]string{
			"OMP_WAIT_POLICY": "passive", "MALLOC_ARENA_MAX": "1",
			"MALLOC_MMAP_THRESHOLD_": "1048576", "MALLOC_TRIM_THRESHOLD_": "1048576",
		}},
		"of the server": {
			server: []string{"OMP_WAIT_POLICY=active", "GOMP_SPINCOUNT=7", "MALLOC_ARENA_MAX=4", "MALLOC_TRIM_THRESHOLD_=5"},
			want: map[string]string{
				"OMP_WAIT_POLICY": "active", "GOMP_SPINCOUNT": "7", "MALLOC_ARENA_MAX": "4", "MALLOC_TRIM_THRESHOLD_": "5",
			},
		},
		"of the model": {
			server: []string{"OMP_WAIT_POLICY=passive", "MALLOC_MMAP_THRESHOLD_=4"},
			added:  []string{"OMP_WAIT_POLICY=active", "MALLOC_MMAP_THRESHOLD_=6"},
			want:   map[string]string{"OMP_WAIT_POLICY": "active", "MALLOC_MMAP_THRESHOLD_": "6"},
		},
	} {
		found := map[string]string{}
		for _, kv := range environment(tt.server, tt.added) {
			key, value, _ := strings.Cut(kv, "=")
			found[key] = value
		}
		for key, want := range tt.want {
			if found[key] != want {
				t.Errorf("%s: %s is %q; want %q", name, key, found[key], want)
			}
		}
	}
}

// The watchdog kills the groups that are left when its input ends, and no others.
func TestWatchdog(t *testing.T) {
	w, err := startWatchdog(nil)
	if err != nil {
		t.Fatal(err)
	}
	var groups []*exec.Cmd
	for range 3 {
		cmd := exec.Command("/bin/sh", "-c", "trap '' TERM; sleep 60 & wait")
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		groups = append(groups, cmd)
		w.add(cmd.Process.Pid)
	}
	w.remove(groups[1].Process.Pid)
	w.close()
	for _, i := range []int{0, 2} {
		if err := groups[i].Wait(); err == nil || err.Error() != "signal: killed" {
			t.Errorf("group %d ended with %v", i, err)
		}
	}
	if err := syscall.Kill(groups[1].Process.Pid, 0); err != nil {
		t.Errorf("the group that was removed is gone: %v", err)
	}
	if err := syscall.Kill(-groups[1].Process.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = groups[1].Wait() // killed
}

func TestExhausted(t *testing.T) {
	for name, err := range map[string]error{
		"process": &os.SyscallError{Syscall: "pipe2", Err: syscall.EMFILE},
		"system":  fmt.Errorf("open: %w", &os.PathError{Op: "open", Path: "/x", Err: syscall.ENFILE}),
		"gRPC":    status.Error(codes.Unavailable, "connection error: dial unix /x: socket: too many open files"),
		"printed": withOutput(errors.New("no handshake"), "engine: error while loading shared libraries: Too many open files in system", "accept: too many open files"),
		"fork":    &os.PathError{Op: "fork/exec", Path: "/x", Err: syscall.EAGAIN},
		"memory":  syscall.ENOMEM,
	} {
		busy := Exhausted(err)
		if busy == nil || busy.Reason() != errs.MemoryBusy || busy.RetryAfter() <= 0 || !errors.Is(busy, err) {
			t.Errorf("%s: %v", name, busy)
		}
	}
	for _, err := range []error{nil, syscall.ENOENT, errors.New("no")} {
		if busy := Exhausted(err); busy != nil {
			t.Errorf("%v became %v", err, busy)
		}
	}
}
