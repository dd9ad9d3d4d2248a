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

// BeforeServe does the faults that come before the handshake. args are the
// program's, without its name:
//
//	--fault=exit               end at once with code 3
//	--fault=handshake-garbage  print something that is no handshake
//	--fault=handshake-version  offer a protocol version that no host speaks
//	--fault=handshake-silent   print nothing, for ever
//	--fault=handshake-dead     offer a socket on which nobody listens
//	--fault=sleep              do nothing, for ever (the child of SpawnChild)
//
// It returns if there is none of them.
func BeforeServe(args []string) {
	if len(args) != 1 {
		return
	}
	switch args[0] {
	case "--fault=exit":
		fmt.Fprintln(os.Stderr, "engine-fault: exits at once as it was told to")
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

// sleepForever blocks without the runtime calling it a deadlock.
func sleepForever() {
	for {
		time.Sleep(time.Hour)
	}
}

// misbehave does the faults that take no context. It returns only an error.
func misbehave(fault string) error {
	switch fault {
	case "crash":
		lastWords("engine-fault: crashes as it was told to")
		// Not a panic: like a fault in a native library, nothing in Go may catch
		// it. The runtime prints a traceback for SIGABRT and dies of it.
		_ = syscall.Kill(os.Getpid(), syscall.SIGABRT)
		sleepForever()
	case "exit":
		lastWords("engine-fault: exits as it was told to")
		os.Exit(3)
	case "hang":
		sleepForever()
	case "panic":
		panic("as it was told to")
	case "error":
		return errs.New(errs.Internal, "the call fails as it was told to")
	}
	return errs.New(errs.InvalidRequest, "unknown fault %q", fault)
}

// flood writes lines to a file descriptor until ctx ends.
func flood(ctx context.Context, w io.Writer, work interface{ Add(int) }) error {
	chunk := bytes.Repeat([]byte("engine-fault floods its output as it was told to\n"), 200)
	chunk = append(chunk, bytes.Repeat([]byte("x"), 200_000)...) // and a line beyond any buffer
	chunk = append(chunk, '\n')
	for ctx.Err() == nil {
		if _, err := w.Write(chunk); err != nil {
			return err
		}
		work.Add(1)
	}
	return ctx.Err()
}

// rawStdout and rawStderr are the process's own, which go-plugin replaces in
// package os: what a native library prints comes there.
func rawStdout() *os.File { return os.NewFile(uintptr(syscall.Stdout), "stdout") }
func rawStderr() *os.File { return os.NewFile(uintptr(syscall.Stderr), "stderr") }

// lastWords prints a line that is there even if the process ends right now.
func lastWords(line string) { _, _ = rawStderr().WriteString(line + "\n") }

// spawnChild starts a process that holds the worker's pipes and lives on.
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

// memory is what the model holds, outside the Go heap so that the process's
// size is exactly what was asked for.
type memory struct {
	mu     sync.Mutex
	blocks [][]byte
}

// growStep is how much is touched between two looks at the context.
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
			// What malloc's callers do.
			lastWords("fatal error: out of memory")
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

// leak grows at a rate until ctx ends.
func (m *memory) leak(ctx context.Context, bytesPerSecond int64) {
	const step = 20 * time.Millisecond
	for pause(ctx, step) == nil {
		if m.grow(ctx, bytesPerSecond*int64(step)/int64(time.Second), func(float64) {}) != nil {
			return
		}
	}
}

// free gives everything back.
func (m *memory) free() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, b := range m.blocks {
		_ = unix.Munmap(b) // it was mapped by grow and is not used again
	}
	m.blocks = nil
}
