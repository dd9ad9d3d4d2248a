package cli

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience is how long the tests wait for an event. It only ends a test that hangs:
// no machine that is merely slow or busy needs it.
const patience = 10 * time.Minute

// programs is the directory of the built programs.
var programs string

// TestMain builds the programs: the tests start real processes.
func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "mg")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer func() { _ = os.RemoveAll(dir) }()
		programs = dir
		build := exec.Command("go", "build", "-o", dir+string(filepath.Separator), "../../cmd/modelgateway", "../../cmd/engine-fault")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "%s%v\n", out, err)
			return 1
		}
		return m.Run()
	}())
}

// result is the output and the exit code of a program.
type result struct {
	out, err string
	code     int
}

// command returns a command that runs modelgateway without the environment of the
// test.
func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(filepath.Join(programs, "modelgateway"), args...)
	home := t.TempDir()
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "TMPDIR=" + os.TempDir()}
	cmd.Dir = home
	return cmd
}

func finish(t *testing.T, cmd *exec.Cmd) result {
	t.Helper()
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return result{out: out.String(), err: errOut.String(), code: cmd.ProcessState.ExitCode()}
}

// settings configures models that answer, crash, load slowly or do not load.
func settings(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	good, bad := filepath.Join(dir, "good.bin"), filepath.Join(dir, "bad.bin")
	write(t, good, "model")
	write(t, bad, "corrupt")
	file := filepath.Join(dir, "config.yaml")
	write(t, file, fmt.Sprintf(`
max_memory_mb: 300
engines_dir: %[1]s
models_dir: %[2]s
engines:
  fault: {command: [engine-fault], max_concurrency: 4}
models:
  fast: {engine: fault, path: good.bin, memory_mb: 64, note: A model for tests.}
  slow: {engine: fault, path: good.bin, memory_mb: 100, parameters: {load_ms: 400}}
  slowest: {engine: fault, path: good.bin, memory_mb: 20, parameters: {load_ms: 600000}}
  broken: {engine: fault, path: bad.bin, memory_mb: 50}
  huge: {engine: fault, path: good.bin, memory_mb: 5000}
tasks:
  chat: {primary: fast}
  grammar: {primary: fast}
  respond: {primary: fast}
  explain_vietnamese: {primary: fast}
  transcribe: {primary: fast}
  synthesize: {primary: fast}
  pronunciation: {primary: fast}
`, programs, dir))
	return file
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// serveProcess is a running "modelgateway serve".
type serveProcess struct {
	addr, http string
	cmd        *exec.Cmd
	log        *bytes.Buffer
}

var readyAddress = regexp.MustCompile(`gRPC (127\.0\.0\.1:\d+), HTTP https?://(127\.0\.0\.1:\d+)`)

// start runs a server on free ports until the test ends.
func start(t *testing.T) *serveProcess {
	t.Helper()
	return startWith(t, settings(t))
}

// startWith is start with another configuration file.
func startWith(t *testing.T, file string) *serveProcess {
	t.Helper()
	cmd := command(t, "serve", "--config", file, "--grpc-listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0", "--state-dir", t.TempDir())
	s := &serveProcess{cmd: cmd, log: &bytes.Buffer{}}
	cmd.Stderr = s.log
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	t.Cleanup(func() { s.stop(t) })
	match := readyAddress.FindStringSubmatch(line)
	if match == nil {
		t.Fatalf("no ready line: %q %v", line, err)
	}
	s.addr, s.http = match[1], match[2]
	return s
}

// stop ends the server with SIGTERM, as an operator does. The exit code must be 0.
func (s *serveProcess) stop(t *testing.T) {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	kill := time.AfterFunc(patience, func() { _ = s.cmd.Process.Kill() })
	defer kill.Stop()
	err := s.cmd.Wait()
	if err != nil {
		t.Errorf("the server ended with %v", err)
	}
	if t.Failed() {
		t.Logf("server log:\n%s", s.log)
	}
}

// run runs a command that calls the server.
func (s *serveProcess) run(t *testing.T, args ...string) result {
	t.Helper()
	return finish(t, s.command(t, args...))
}

func (s *serveProcess) command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := command(t, args...)
	cmd.Env = append(cmd.Env, "MODELGATEWAY_ADDR="+s.addr)
	return cmd
}

func (r result) check(t *testing.T, code int, wants ...string) {
	t.Helper()
	if r.code != code {
		t.Errorf("exit code %d, want %d\n%s%s", r.code, code, r.out, r.err)
	}
	for _, want := range wants {
		if !strings.Contains(r.out+r.err, want) {
			t.Errorf("no %q in\n%s%s", want, r.out, r.err)
		}
	}
}
