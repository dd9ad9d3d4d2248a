package onnx

/*
#include <unistd.h>
*/
import "C"

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"
)

// filterStderr runs f and drops the lines for which drop returns true from the process's
// standard error meanwhile, including those that libraries write. f always runs; an
// error means that nothing was filtered.
func filterStderr(drop func(line string) bool, f func()) error {
	read, write, err := os.Pipe()
	if err != nil {
		f()
		return err
	}
	defer read.Close()
	saved := C.dup(C.STDERR_FILENO)
	if saved < 0 || C.dup2(C.int(write.Fd()), C.STDERR_FILENO) < 0 {
		_ = write.Close()
		f()
		return fmt.Errorf("cannot redirect standard error")
	}
	_ = write.Close() // descriptor 2 keeps the pipe open
	original := os.NewFile(uintptr(saved), "stderr")
	defer original.Close()
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		copyLines(original, read, drop)
	}()
	// Deferred, so that the message of a panic in f is written too.
	defer func() {
		C.dup2(saved, C.STDERR_FILENO) // closes the pipe, which ends the copy
		<-copied
	}()
	f()
	return nil
}

// copyLines copies the lines for which drop returns false.
func copyLines(to io.Writer, from io.Reader, drop func(line string) bool) {
	lines := bufio.NewReader(from)
	for {
		line, err := lines.ReadString('\n')
		if line != "" && !drop(strings.TrimSpace(line)) {
			_, _ = io.WriteString(to, line) // standard error: a failure cannot be reported
		}
		if err != nil {
			return
		}
	}
}
