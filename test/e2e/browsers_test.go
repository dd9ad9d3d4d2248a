package e2e

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// browser is a browser that tests drive; see browser/browsers.mjs.
type browser string

const (
	chromium browser = "chromium"
	firefox  browser = "firefox"
)

// inBrowsers runs a test in each browser.
func inBrowsers(t *testing.T, test func(*testing.T, browser)) {
	t.Helper()
	for _, b := range []browser{chromium, firefox} {
		t.Run(string(b), func(t *testing.T) {
			b.program(t) // skips the test if there is none
			test(t, b)
		})
	}
}

// program is what the scripts in browser need to start the browser: the path of
// Chromium, or the address of the running Firefox. Without Firefox, which not every
// system has under its name in Debian, the test is skipped.
func (b browser) program(t *testing.T) string {
	t.Helper()
	if b == chromium {
		path, err := exec.LookPath("chromium")
		if err != nil {
			t.Fatalf("%v: run the tests with `make test`, which installs it", err)
		}
		return path
	}
	address, err := startFirefox()
	if errors.Is(err, exec.ErrNotFound) {
		t.Skipf("%v: `make test` installs it where it reaches Debian's packages", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// startFirefox starts the Firefox of all tests, which ends with the test program,
// because its standard input does.
var startFirefox = sync.OnceValues(func() (address string, err error) {
	path, err := exec.LookPath("firefox-esr")
	if err != nil {
		return "", err
	}
	if _, err := exec.LookPath("pulseaudio"); err != nil {
		return "", err
	}
	ctx, giveUp := context.WithCancelCause(context.Background())
	defer func() {
		if err != nil {
			giveUp(err)
		}
	}()
	cmd := exec.CommandContext(ctx, "node", "browser/firefox.mjs", path)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	cmd.Cancel, cmd.WaitDelay = func() error { return firefoxInput.Close() }, 30*time.Second
	if firefoxInput, err = cmd.StdinPipe(); err != nil {
		return "", err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := cmd.Start(); err != nil {
		return "", err
	}
	tooLong := time.AfterFunc(patience/2, func() { giveUp(fmt.Errorf("it took more than %v", patience/2)) })
	defer tooLong.Stop()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		err = fmt.Errorf("firefox does not start: %w\n%s", errors.Join(context.Cause(ctx), err, cmd.Wait()), complaint.String())
	}
	return strings.TrimSpace(line), err
})

// firefoxInput keeps the Firefox of all tests running.
var firefoxInput io.Closer

// A Firefox that fails at its start, and one that hangs there until nobody waits for it,
// leave neither a process nor a folder behind.
func TestFirefoxThatDoesNotStart(t *testing.T) {
	for _, program := range []string{"pulseaudio", "firefox-esr"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%v: `make test` installs it where it reaches Debian's packages", err)
		}
	}
	for name, end := range map[string]string{"fails": "exit 1", "hangs": "exec sleep infinity"} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			program, begun := filepath.Join(dir, "firefox"), filepath.Join(dir, "begun")
			script := fmt.Sprintf("#!/bin/sh\necho $$ >%s.part && mv %s.part %s\n%s\n", begun, begun, begun, end)
			if err := os.WriteFile(program, []byte(script), 0o700); err != nil { //nolint:gosec // is run
				t.Fatal(err)
			}
			cmd := exec.CommandContext(within(t, patience), "node", "browser/firefox.mjs", program)
			cmd.Env = append(os.Environ(), "TMPDIR="+dir)
			input, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			var pid string
			eventually(t, patience, "Firefox is started", func() bool {
				text, err := os.ReadFile(begun) //nolint:gosec // written by the script
				pid = strings.TrimSpace(string(text))
				return err == nil
			})
			if name == "hangs" {
				_ = input.Close()
			}
			if err := cmd.Wait(); (err == nil) != (name == "hangs") {
				t.Errorf("firefox.mjs: %v", err)
			}
			eventually(t, patience, "Firefox ends", func() bool {
				_, err := os.Stat("/proc/" + pid)
				return err != nil
			})
			if left, _ := filepath.Glob(filepath.Join(dir, "sound-*")); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
		})
	}
}
