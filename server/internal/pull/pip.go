package pull

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/lexilingo/modelgateway/server/internal/catalog"
)

// pipCommands are the ways to start the client of Python's package registries, the
// first that works is used. It knows this machine's registry, proxies, certificates
// and passwords, so none of them are settings of this program.
var pipCommands = [][]string{{"python3", "-m", "pip"}, {"python", "-m", "pip"}, {"pip3"}, {"pip"}}

// findPip returns the first command that works.
func findPip(ctx context.Context) ([]string, error) {
	for _, command := range pipCommands {
		if exec.CommandContext(ctx, command[0], append(command[1:], "--version")...).Run() == nil { //nolint:gosec // one of the list
			return command, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	return nil, &Error{Kind: Unreachable, Message: "the Python package client, pip, is not installed, so no package can be fetched",
		Advice: "Install it (Debian: apt-get install python3-pip), or put the bin folder of a virtual environment into PATH."}
}

// Limits of one package's download.
const (
	pipTimeoutSeconds = "20" // without data
	pipRetries        = "2"
	pipShutdown       = 5 * time.Second
	maxPipOutput      = 64 << 10
)

// pip fetches one package into the folder dir.
//
// pip checks the hash. --only-binary keeps it from building, and so from running,
// anything of the package; nothing is installed.
func (p *packages) pip(ctx context.Context, pkg catalog.Package, dir string) error {
	requirements := filepath.Join(dir, "requirements.txt")
	text := fmt.Sprintf("%s==%s --hash=sha256:%s\n", pkg.Name, pkg.Version, pkg.SHA256)
	temporary := filepath.Join(dir, "tmp")
	if err := os.Mkdir(temporary, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return pathError(err, "cannot create %s", temporary)
	}
	if err := os.WriteFile(requirements, []byte(text), 0o600); err != nil {
		return pathError(err, "cannot write %s", requirements)
	}
	args := append(p.command[1:len(p.command):len(p.command)], "download",
		"--no-deps", "--require-hashes", "--only-binary", ":all:", "--ignore-requires-python",
		"--no-cache-dir", "--progress-bar", "off", "--disable-pip-version-check", "--no-input",
		"--timeout", pipTimeoutSeconds, "--retries", pipRetries, "--dest", dir, "--requirement", requirements)
	cmd := exec.CommandContext(ctx, p.command[0], args...) //nolint:gosec // one of pipCommands
	cmd.Env = append(os.Environ(), "TMPDIR="+temporary)    // where the bytes arrive; see measure
	output := &tail{most: maxPipOutput}
	cmd.Stdout, cmd.Stderr = output, output
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = pipShutdown
	err := cmd.Run()
	_ = os.RemoveAll(temporary) // what a later pull finds there is removed then
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return pipError(pkg, output.String(), err)
	}
	return nil
}

// pipError explains a failure by what pip printed.
func pipError(pkg catalog.Package, output string, err error) error {
	name := pkg.Name + " " + pkg.Version
	if strings.Contains(output, "DO NOT MATCH THE HASHES") {
		return &Error{Kind: Checksum, Message: "the package " + name + " does not match the checksum in this program's catalogue", cause: err,
			Advice: "The registry or a proxy changed it, and nothing of it was used. Use --source=hub, or another registry in pip's configuration."}
	}
	if strings.Contains(output, "No space left on device") {
		return &Error{Kind: NoSpace, Message: "cannot fetch the package " + name + ": the disk is full", cause: err, Advice: "Free some space and run the command again."}
	}
	last := err.Error()
	for line := range strings.Lines(output) {
		if message, ok := strings.CutPrefix(strings.TrimSpace(line), "ERROR: "); ok {
			last = message
			break
		}
	}
	if strings.Contains(output, "Retrying (") { // pip then reports only that it found no versions
		last = "no registry of Python packages can be reached"
	}
	return &Error{Kind: Unreachable, Message: "cannot fetch the package " + name + ": " + last, cause: err,
		Advice: "Check that this command works here: python3 -m pip download --no-deps " + pkg.Name + "==" + pkg.Version}
}

// tail keeps the end of what is written to it.
type tail struct {
	most int
	buf  bytes.Buffer
}

// Write appends the bytes, and forgets the oldest.
func (t *tail) Write(p []byte) (int, error) {
	t.buf.Write(p)
	if over := t.buf.Len() - t.most; over > 0 {
		t.buf.Next(over)
	}
	return len(p), nil
}

func (t *tail) String() string { return t.buf.String() }

// sizeOf returns the bytes of all files in a folder.
func sizeOf(dir string) int64 {
	var sum int64
	_ = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return nil // files come and go while pip runs
		}
		if info, err := entry.Info(); err == nil {
			sum += info.Size()
		}
		return nil
	})
	return sum
}
