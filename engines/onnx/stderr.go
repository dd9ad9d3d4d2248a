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

// filterStderr runs f while lines that drop accepts, written to the process's
// standard error by whomever, are left out. Everything else written meanwhile
// reaches standard error. f runs in any case; the error tells that nothing was
// filtered.
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
		return fmt.Errorf("standard error cannot be redirected")
	}
	_ = write.Close() // descriptor 2 holds the pipe open now
	original := os.NewFile(uintptr(saved), "stderr")
	defer original.Close()
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		copyLines(original, read, drop)
	}()
	// Also after a panic in f: what it says must be seen.
	defer func() {
		C.dup2(saved, C.STDERR_FILENO) // closes the pipe, which ends the copy
		<-copied
	}()
	f()
	return nil
}

// copyLines copies what drop does not accept, to the end.
func copyLines(to io.Writer, from io.Reader, drop func(line string) bool) {
	lines := bufio.NewReader(from)
	for {
		line, err := lines.ReadString('\n')
		if line != "" && !drop(strings.TrimSpace(line)) {
			_, _ = io.WriteString(to, line) // there is nobody to tell
		}
		if err != nil {
			return
		}
	}
}
