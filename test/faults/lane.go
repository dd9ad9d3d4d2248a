package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/test/internal/calls"
)

// lane is one gateway with its clients and its faults, which come one after another.
// Lanes run beside each other and share nothing but the machine.
type lane struct {
	*suite
	name    string
	dir     string
	disk    *disk
	key     string
	history *history
	gateway atomic.Pointer[gateway]
	present atomic.Pointer[episode]

	// outage is the time in which the whole gateway is harmed.
	mu          sync.Mutex
	outage      bool
	outageEnded time.Time
	violations  []violation
	done        []planned
	cold        map[string][]time.Duration // loads without faults, by model
	recoveries  []recovery
	requests    int64
}

// config is what the gateways serve. target and others get the faults; beside must not
// notice them; there is no memory for rival and one of those. real is a starter model of
// llama.cpp.
const config = `
grpc_listen: 127.0.0.1:0
http_listen: 127.0.0.1:0
auth: {keys_file: keys.yaml}
state_dir: DIR/state
engines_dir: DIR/bin
max_memory_mb: 400
cpu_threads: 16
drain_timeout: 3s
log: {level: info, format: json}
breaker: {failures: 5, open: 1s}
engines:
  fault: {command: [engine-fault], max_concurrency: 8}
  llama: {command: [LLAMA], max_concurrency: 4}
  start-exit: {command: [engine-fault, --fault=exit]}
  start-garbage: {command: [engine-fault, --fault=handshake-garbage]}
  start-version: {command: [engine-fault, --fault=handshake-version]}
  start-dead: {command: [engine-fault, --fault=handshake-dead]}
models:
  beside: {engine: fault, path: DIR/models/other.bin, memory_mb: 30, threads: 1, priority: high, idle_timeout: 0s}
  target: {engine: fault, path: DIR/models/target.bin, memory_mb: 60, threads: 1, progress_timeout: 2s, parameters: {load_ms: 250, close_ms: 250}}
  leaky: {engine: fault, path: DIR/models/other.bin, memory_mb: 60, threads: 1, progress_timeout: 2s, parameters: {load_ms: 250, close_ms: 250, allocate_bytes: 8388608, leak_bytes_per_second: 2097152}}
  stubborn: {engine: fault, path: DIR/models/other.bin, memory_mb: 60, threads: 1, progress_timeout: 2s, parameters: {load_ms: 250, ignore_sigterm: true}}
  parent: {engine: fault, path: DIR/models/other.bin, memory_mb: 60, threads: 1, progress_timeout: 2s, parameters: {load_ms: 250, close_ms: 250, spawn_child: true}}
  grower: {engine: fault, path: DIR/models/grower.bin, memory_mb: 60, threads: 1, progress_timeout: 2s, parameters: {load_ms: 250}}
  real: {engine: llama, path: "starter:chat.gguf", memory_mb: 256, threads: 1, progress_timeout: 5s}
  rival: {engine: fault, path: DIR/models/other.bin, memory_mb: 360, threads: 1, parameters: {load_ms: 20}}
  load-crash: {engine: fault, path: DIR/models/other.bin, memory_mb: 60, threads: 1, parameters: {load_ms: 100, load_fault: crash}}
  load-exit: {engine: fault, path: DIR/models/other.bin, memory_mb: 60, threads: 1, parameters: {load_ms: 100, load_fault: exit}}
  load-hang: {engine: fault, path: DIR/models/other.bin, memory_mb: 60, threads: 1, progress_timeout: 2s, parameters: {load_ms: 100, load_fault: hang}}
  load-panic: {engine: fault, path: DIR/models/other.bin, memory_mb: 60, threads: 1, parameters: {load_ms: 100, load_fault: panic}}
  load-error: {engine: fault, path: DIR/models/other.bin, memory_mb: 60, threads: 1, parameters: {load_ms: 100, load_fault: error}}
  start-exit: {engine: start-exit, path: DIR/models/other.bin, memory_mb: 60, threads: 1}
  start-garbage: {engine: start-garbage, path: DIR/models/other.bin, memory_mb: 60, threads: 1}
  start-version: {engine: start-version, path: DIR/models/other.bin, memory_mb: 60, threads: 1}
  start-dead: {engine: start-dead, path: DIR/models/other.bin, memory_mb: 60, threads: 1}
tasks:
  chat: {primary: target, fallbacks: [beside]}
`

const (
	beside = "beside"
	target = "target"
	real   = "real"
	rival  = "rival"
)

// newLane makes the folder of a lane and starts its gateway.
func newLane(s *suite, name string) (*lane, error) {
	l := &lane{suite: s, name: name, dir: filepath.Join(s.dir, name), history: &history{began: s.began}, cold: map[string][]time.Duration{}}
	for _, sub := range []string{"state", "bin", "models", "t"} {
		if err := os.MkdirAll(filepath.Join(l.dir, sub), 0o700); err != nil {
			return nil, err
		}
	}
	l.disk = mountDisk(filepath.Join(l.dir, "disk"), filepath.Join(l.dir, "state"))
	// A copy: its path tells whose process it is.
	engine, err := os.ReadFile(s.engine)
	if err == nil {
		err = os.WriteFile(filepath.Join(l.dir, "bin", "engine-fault"), engine, 0o700) //nolint:gosec // a program
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(l.dir, "config.yaml"), []byte(strings.NewReplacer("DIR", l.dir, "LLAMA", s.llama).Replace(config)), 0o600)
	}
	if err != nil {
		return nil, err
	}
	if err := errors.Join(l.restoreModel(), replaceFile(filepath.Join(l.dir, "models", "other.bin"), "a model")); err != nil {
		return nil, err
	}
	if l.key, err = l.addKey("driver"); err != nil {
		return nil, err
	}
	return l, l.start()
}

// addKey makes an API key as an operator does.
func (l *lane) addKey(name string) (string, error) {
	var failed strings.Builder
	cmd := exec.Command(l.program, "keys", "add", name, "--state-dir", filepath.Join(l.dir, "state"),
		"--role=infer,observe,admin,metrics", "--max-priority=critical", "--json")
	cmd.Stderr = &failed
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("keys add: %w: %s", err, failed.String())
	}
	var made struct{ Key string }
	return made.Key, errors.Join(json.Unmarshal(out, &made))
}

func (l *lane) modelFile() string { return filepath.Join(l.dir, "models", "target.bin") }

// restoreModel puts the model's file where it belongs.
func (l *lane) restoreModel() error { return replaceFile(l.modelFile(), "a model") }

func replaceFile(path, text string) error {
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// start starts the gateway and loads the model that must not notice faults.
func (l *lane) start() error {
	g, err := startGateway(l.program, l.dir, l.key)
	if err != nil {
		return err
	}
	l.gateway.Store(g)
	l.history.add("gateway %d started", g.pid())
	ctx, cancel := context.WithTimeout(context.Background(), calls.Patience)
	defer cancel()
	_, err = l.use(ctx, beside)
	return err
}

// use asks a model for something that only this model may answer, and returns how long
// its load took.
func (l *lane) use(ctx context.Context, model string) (load time.Duration, err error) {
	g := l.gateway.Load()
	l.count(g, true)
	resp, err := g.models.Grammar(ctx, &gatewayv1.GrammarRequest{Text: calls.Hello, Model: model})
	return resp.GetServedBy().GetLoadDuration().AsDuration(), err
}

// count counts an inference that a gateway certainly got, or perhaps.
func (l *lane) count(g *gateway, sure bool) {
	if sure {
		g.sure.Add(1)
	} else {
		g.unsure.Add(1)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.requests++
}

// violate records a violation, with the history of the present fault.
func (l *lane) violate(format string, args ...any) {
	what := fmt.Sprintf(format, args...)
	l.history.add("VIOLATION: %s", what)
	v := violation{what: what, history: l.history.copy()}
	if e := l.present.Load(); e != nil {
		v.fault = e.planned
	} else {
		v.fault = planned{kind: &kind{name: "none"}, phase: idle}
	}
	if g := l.gateway.Load(); g != nil {
		v.log = g.output.last(40)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	const most = 20
	if len(l.violations) < most {
		l.violations = append(l.violations, v)
	}
}

// beginOutage and endOutage enclose the time in which the whole gateway is harmed.
func (l *lane) beginOutage() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.outage = true
}

func (l *lane) endOutage() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.outage, l.outageEnded = false, time.Now()
}

// harmed reports whether the whole gateway was harmed at some time since from, or
// until just before.
func (l *lane) harmed(from time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.outage || from.Before(l.outageEnded.Add(time.Second))
}

// slack is how much later than promised something may be that began at from: as much
// as the machine was late itself.
func (l *lane) slack(from time.Time) time.Duration { return l.delays.between(from, time.Now()) }

// unload unloads a model, and clears its failure.
func (l *lane) unload(model string) error {
	ctx, cancel := context.WithTimeout(context.Background(), calls.Patience)
	defer cancel()
	_, err := l.gateway.Load().admin.UnloadModel(ctx, &gatewayv1.UnloadModelRequest{Name: model})
	return err
}

// await waits until a model is in a state that ok accepts.
func (l *lane) await(model string, ok func(*gatewayv1.Model) bool) (*gatewayv1.Model, error) {
	ctx, cancel := context.WithTimeout(context.Background(), calls.Patience)
	defer cancel()
	for {
		m, err := l.gateway.Load().model(ctx, model)
		if err != nil || ok(m) {
			return m, err
		}
		time.Sleep(3 * time.Millisecond)
	}
}
