package modelgateway_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// models has models of the test engine, which answers at once and always the same.
// "numbers" hears numbers: see engines/fault.
const models = `
grpc_listen: 127.0.0.1:0
http_listen: 127.0.0.1:0
advertise: ADVERTISE
state_dir: STATE
drain_timeout: 2s
engines:
  fault: {command: [engine-fault], max_concurrency: 16}
models:
  tutor: {engine: fault, path: MODEL, memory_mb: 64}
  numbers: {engine: fault, path: MODEL, memory_mb: 64, parameters: {hear_numbers: true}}
  crasher: {engine: fault, path: MODEL, memory_mb: 64, parameters: {fault: crash}}
tasks:
  chat: {primary: tutor, fallbacks: []}
  grammar: {primary: tutor, fallbacks: []}
  respond: {primary: tutor, fallbacks: []}
  explain_vietnamese: {primary: tutor, fallbacks: []}
  transcribe: {primary: numbers, fallbacks: []}
  synthesize: {primary: tutor, fallbacks: []}
  pronunciation: {primary: tutor, fallbacks: []}
`

// programs is the folder of the programs that the tests start.
var programs string

// TestMain builds the server and an engine for tests, and starts one server, which the
// examples use.
func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "modelgateway-clients-")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	programs = dir
	for _, name := range []string{"modelgateway", "engine-fault"} {
		build := exec.Command("go", "build", "-o", filepath.Join(dir, name), "github.com/lexilingo/modelgateway/cmd/"+name)
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "cannot build %s: %v\n%s", name, err, out)
			return 1
		}
	}
	s, err := startServer("examples")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer s.end()
	for variable, value := range map[string]string{"MODELGATEWAY_ADDR": s.address, "MODELGATEWAY_API_KEY": ""} {
		if err := os.Setenv(variable, value); err != nil {
			panic(err)
		}
	}
	return m.Run()
}

// gateway is a running server.
type gateway struct {
	name, address string
	process       *exec.Cmd
}

var addresses = regexp.MustCompile(`127\.0\.0\.1:\d+`)

// startServer starts a server that calls itself by a name.
func startServer(name string) (*gateway, error) {
	dir, err := os.MkdirTemp(programs, name)
	if err != nil {
		return nil, err
	}
	model, file := filepath.Join(dir, "model"), filepath.Join(dir, "config.yaml")
	config := strings.NewReplacer("ADVERTISE", name, "STATE", filepath.Join(dir, "state"), "MODEL", model).Replace(models)
	if err := os.WriteFile(model, []byte("a model"), 0o600); err != nil {
		return nil, err
	}
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	s := &gateway{name: name, process: exec.Command(filepath.Join(programs, "modelgateway"), "serve", "--config", file)}
	s.process.Stderr = log
	out, err := s.process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.process.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	found := addresses.FindAllString(line, -1)
	if err != nil || len(found) < 2 {
		s.end()
		text, _ := os.ReadFile(log.Name())
		return nil, fmt.Errorf("no line with two addresses: %q %w\n%s", line, err, text)
	}
	s.address = found[0]
	return s, nil
}

// end kills the server.
func (s *gateway) end() {
	_ = s.process.Process.Kill()
	_ = s.process.Wait()
}

// start starts a server until the test ends.
func start(t *testing.T, name string) *gateway {
	t.Helper()
	s, err := startServer(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.end)
	return s
}
