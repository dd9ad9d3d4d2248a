package fault

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lexilingo/modelgateway/engines/errs"
)

// BeforeServe performs the faults that come before the handshake. args are the
// program's arguments, without its name:
//
//	--fault=exit               exit at once with code 3
//	--fault=handshake-garbage  print a line that is not a handshake
//	--fault=handshake-version  offer a protocol version that no host supports
//	--fault=handshake-silent   print nothing and never end
//	--fault=handshake-dead     offer a socket without a listener
//	--fault=sleep              do nothing and never end (the child of SpawnChild)
//
// It returns if args contains none of them.
func BeforeServe(args []string) {
	if len(args) != 1 {
		return
	}
	switch args[0] {
	case "--fault=exit":
		fmt.Fprintln(os.Stderr, "engine-fault: exits at once as requested")
		os.Exit(3)
	case "--fault=handshake-garbage":
		fmt.Println("Hello, I am not an engine")
		sleepForever()
	case "--fault=handshake-version":
		fmt.Println("1|99|unix|/nonexistent/socket|grpc")
		sleepForever()
	case "--fault=handshake-dead":
		fmt.Println("1|1|unix|/nonexistent/socket|grpc")
		sleepForever()
	case "--fault=handshake-silent", "--fault=sleep":
		sleepForever()
	}
}

// sleepForever never returns. An empty select could be reported as a deadlock.
func sleepForever() {
	for {
		time.Sleep(time.Hour)
	}
}

// misbehave performs the faults that need no context. If it returns, it returns
// an error.
func misbehave(fault string) error {
	switch fault {
	case "crash":
		writeStderr("engine-fault: crashes as requested")
		// A panic could be recovered; a fault in a native library cannot. The
		// runtime prints a traceback for SIGABRT and ends.
		_ = syscall.Kill(os.Getpid(), syscall.SIGABRT)
		sleepForever()
	case "exit":
		writeStderr("engine-fault: exits as requested")
		os.Exit(3)
	case "hang":
		sleepForever()
	case "panic":
		panic("as requested")
	case "error":
		return errs.New(errs.Internal, "the call fails as requested")
	}
	return errs.New(errs.InvalidRequest, "unknown fault %q", fault)
}

// flood writes lines to w until ctx ends.
func flood(ctx context.Context, w io.Writer, work interface{ Add(int) }) error {
	chunk := bytes.Repeat([]byte("engine-fault floods its output as requested\n"), 200)
	chunk = append(chunk, bytes.Repeat([]byte("x"), 200_000)...) // and a line that is longer than any buffer
	chunk = append(chunk, '\n')
	for ctx.Err() == nil {
		if _, err := w.Write(chunk); err != nil {
			return err
		}
		work.Add(1)
	}
	return ctx.Err()
}

// rawStdout and rawStderr return the process's file descriptors 1 and 2, to which
// native libraries print. go-plugin replaces os.Stdout and os.Stderr.
func rawStdout() *os.File { return os.NewFile(uintptr(syscall.Stdout), "stdout") }
func rawStderr() *os.File { return os.NewFile(uintptr(syscall.Stderr), "stderr") }

// writeStderr prints a line without buffering, so that it is written even if the
// process ends at once.
func writeStderr(line string) { _, _ = rawStderr().WriteString(line + "\n") }

// spawnChild starts a process that keeps the worker's pipes open and outlives it.
func spawnChild() (pid int, err error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	cmd := exec.Command(self, "--fault=sleep")
	cmd.Stdout, cmd.Stderr = rawStdout(), rawStderr()
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	pid = cmd.Process.Pid
	slog.Info("started a child", "child_pid", pid)
	return pid, cmd.Process.Release()
}

// memory is the memory that the model holds. It is outside the Go heap, so that
// the process grows by exactly the requested size.
type memory struct {
	mu     sync.Mutex
	blocks [][]byte
}

// growStep is how many bytes are touched between two checks of the context.
const growStep = 1 << 20

// grow maps and touches n more bytes.
func (m *memory) grow(ctx context.Context, n int64, report func(float64)) error {
	for done := int64(0); done < n; {
		if err := ctx.Err(); err != nil {
			return err
		}
		size := min(growStep, n-done)
		block, err := unix.Mmap(-1, 0, int(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
		if err != nil {
			// As programs do whose malloc fails.
			writeStderr("fatal error: out of memory")
			os.Exit(134)
		}
		for i := 0; i < len(block); i += os.Getpagesize() {
			block[i] = 1
		}
		m.mu.Lock()
		m.blocks = append(m.blocks, block)
		m.mu.Unlock()
		done += size
		report(float64(done) / float64(n))
	}
	return nil
}

// leak allocates bytesPerSecond until ctx ends.
func (m *memory) leak(ctx context.Context, bytesPerSecond int64) {
	const step = 20 * time.Millisecond
	for pause(ctx, step) == nil {
		if m.grow(ctx, bytesPerSecond*int64(step)/int64(time.Second), func(float64) {}) != nil {
			return
		}
	}
}

// free unmaps everything that grow mapped.
func (m *memory) free() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, b := range m.blocks {
		_ = unix.Munmap(b) // cannot fail: grow mapped exactly this block
	}
	m.blocks = nil
}
