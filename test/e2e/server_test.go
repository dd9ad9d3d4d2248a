// Package e2e tests the built programs with the starter models, real engines, and
// clients in other languages. Run `make build` first.
package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// patience is how long the tests wait for an event. It only ends a test that hangs:
// no machine that is merely slow or busy needs it.
const patience = 10 * time.Minute

// root is the folder of the project.
const root = "../.."

// program is the program under test.
func program(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(root, "bin", "modelgateway"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v: run `make build` first", err)
	}
	return path
}

// server is a running `modelgateway serve`.
type server struct {
	cmd        *exec.Cmd
	grpc, http string
	models     gatewayv1.ModelGatewayServiceClient
	admin      gatewayv1.ModelAdminServiceClient
	exited     chan struct{}

	mu  sync.Mutex
	log bytes.Buffer
}

var readyLine = regexp.MustCompile(`127\.0\.0\.1:\d+`)

// start runs the server on free ports with its own state folder, and ends it with
// the test. config is YAML; empty: no configuration file and only starters, as with
// `make run MODELS=starter`.
func start(t *testing.T, config string, args ...string) *server {
	t.Helper()
	dir := t.TempDir()
	full := append([]string{"serve", "--grpc-listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0", "--state-dir", filepath.Join(dir, "state")}, args...)
	if config == "" {
		full = append(full, "--starters-only")
	} else {
		file := filepath.Join(dir, "config.yaml")
		if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		full = append(full, "--config", file)
	}
	s := &server{cmd: exec.Command(program(t), full...), exited: make(chan struct{})}
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.cmd.Stderr = s
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(stdout)
	line, err := lines.ReadString('\n')
	go func() {
		_, _ = io.Copy(s, lines)
		_ = s.cmd.Wait()
		close(s.exited)
	}()
	t.Cleanup(func() { s.stop(t) })
	addrs := readyLine.FindAllString(line, -1)
	if err != nil || len(addrs) != 2 {
		t.Fatalf("no line with two addresses: %q %v\n%s", line, err, s.output())
	}
	s.grpc, s.http = addrs[0], "http://"+addrs[1]
	conn, err := grpc.NewClient(s.grpc, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	s.models = gatewayv1.NewModelGatewayServiceClient(conn)
	s.admin = gatewayv1.NewModelAdminServiceClient(conn)
	return s
}

// Write collects the output of the server.
func (s *server) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.Write(p)
}

func (s *server) output() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

func (s *server) stop(t *testing.T) {
	t.Helper()
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.exited:
	case <-time.After(patience):
		t.Errorf("the server did not end on SIGTERM\n%s", s.output())
		_ = s.cmd.Process.Kill()
		<-s.exited
	}
	if t.Failed() {
		t.Logf("server output:\n%s", s.output())
	}
}

// model returns the state of a model.
func (s *server) model(t *testing.T, name string) *gatewayv1.Model {
	t.Helper()
	got, err := s.admin.GetModel(t.Context(), &gatewayv1.GetModelRequest{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	return got.GetModel()
}

// eventually waits for a condition that depends on another process.
func eventually(t *testing.T, within time.Duration, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(within); ; time.Sleep(20 * time.Millisecond) {
		if ok() {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", within, what)
		}
	}
}

// alive reports whether a process exists and is not a zombie.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(rest, "Z")
}

// greedy returns options for a repeatable answer of at most n tokens.
func greedy(n int32) *gatewayv1.SamplingOptions {
	zero := float32(0)
	return &gatewayv1.SamplingOptions{Temperature: &zero, PresencePenalty: &zero, MaxTokens: &n}
}

func user(text string) []*gatewayv1.ChatMessage {
	return []*gatewayv1.ChatMessage{{Role: gatewayv1.Role_ROLE_USER, Content: text}}
}

// output runs a program and returns its output.
func output(t *testing.T, env []string, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out, stderr.String())
	}
	return string(out)
}

// post sends JSON and returns the answer.
func post(t *testing.T, url string, body string) (status int, header http.Header, answer string) {
	t.Helper()
	resp, err := http.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(data)
}

func decode[T any](t *testing.T, text string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	return v
}
