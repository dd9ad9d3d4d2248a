package main

import (
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lexilingo/modelgateway/engines/errs"

	"github.com/lexilingo/modelgateway/test/internal/calls"
)

// kind is a kind of fault.
type kind struct {
	name   string
	phases []phase // in which it comes; nil: all
	// model returns the model that gets the fault; nil: target.
	model func(*episode) string
	// text returns the request of the phases with a stream; nil: slowText.
	text     func(*episode) string
	deadline time.Duration // of that request; 0: 12 s
	// inject makes the fault, and returns how to end it; nil if it ends by itself.
	inject func(*episode) (undo func(), err error)
	// check checks more, after all requests have ended; may be nil.
	check   func(*episode)
	reasons []string // how requests may end, besides the usual
	wide    bool     // it harms the whole gateway, not one model
	grows   bool     // the worker takes more memory than it has reserved
	leaves  bool     // the client of the request leaves
	heal    bool     // an operator unloads the model after it
	another bool     // the model never loads, or needs other memory: another one must recover
	// impossible returns why this machine cannot have it; nil: it can.
	impossible func(*lane) string
}

func (k *kind) in(p phase) bool { return k.phases == nil || slices.Contains(k.phases, p) }

func (k *kind) deadlineOf() time.Duration {
	if k.deadline > 0 {
		return k.deadline
	}
	return 12 * time.Second
}

func kindsInOrder(some []*kind) []*kind {
	var ordered []*kind
	for _, k := range append(kinds(), gatewayKinds()...) {
		for _, s := range some {
			if s.name == k.name && !slices.Contains(ordered, s) {
				ordered = append(ordered, s)
			}
		}
	}
	return ordered
}

// signalled returns a fault that sends a signal to the worker.
func signalled(sig syscall.Signal) func(*episode) (func(), error) {
	return func(e *episode) (func(), error) {
		e.signal(sig)
		return nil, nil
	}
}

// kinds returns all kinds of faults of workers, files and the machine.
func kinds() []*kind {
	withStream := []phase{midStream, draining}
	return []*kind{
		{name: "SIGKILL", model: anyEngine, inject: signalled(syscall.SIGKILL)},
		{name: "SIGTERM", model: anyEngine, inject: signalled(syscall.SIGTERM)},
		{name: "SIGSTOP", model: anyEngine, inject: signalled(syscall.SIGSTOP)},
		{
			name: "out of memory", inject: runOutOfMemory, check: checkMemoryTold,
			model:      func(*episode) string { return "leaky" },
			impossible: noCgroup,
		},
		{name: "full disk", model: anyEngine, inject: func(e *episode) (func(), error) { return e.disk.fill() }, impossible: noDisk},
		{name: "slow disk", model: anyEngine, inject: func(e *episode) (func(), error) { return e.disk.freeze() }, impossible: noDisk},
		{
			name: "deleted file", reasons: []string{"MODEL_FILE_MISSING"}, heal: true,
			inject: func(e *episode) (func(), error) { return e.harmFile("MODEL_FILE_MISSING", os.Remove(e.modelFile())) },
		},
		{
			name: "replaced file", reasons: []string{"MODEL_FILE_INVALID"}, heal: true,
			inject: func(e *episode) (func(), error) {
				return e.harmFile("MODEL_FILE_INVALID", replaceFile(e.modelFile(), "corrupt"))
			},
		},
		{name: "lost connection", model: anyEngine, inject: loseConnection},
		{name: "lost folder", model: anyEngine, inject: loseFolder},
		{name: "no descriptors", model: anyEngine, inject: exhaustDescriptors, wide: true, heal: true},
		{name: "corrupt reply", model: anyEngine, inject: corruptReply},
		{name: "full pipe", phases: withStream, grows: true, text: flooding, deadline: 1500 * time.Millisecond, inject: nothing},
		{name: "full log pipe", model: anyEngine, inject: stopReadingLog},
		{name: "clock jump", model: anyEngine, inject: pauseGateway, wide: true},
		{name: "misbehaving engine", model: misbehaving, text: misbehavingText, phases: []phase{loading}, inject: nothing, reasons: []string{"MODEL_FILE_INVALID", "ENGINE_UNAVAILABLE", "INTERNAL"}, another: true},
		{name: "misbehaving call", text: misbehavingText, phases: withStream, inject: nothing, reasons: []string{"INTERNAL"}},
		{name: "misbehaving end", model: stubborn, phases: []phase{evicting, idle}, inject: endWithChildren, reasons: []string{"INTERNAL"}},
		{name: "growth", model: grower, phases: []phase{idle, midStream}, inject: growTooFar, grows: true, another: true, reasons: []string{"MEMORY_BUSY"}},
		{name: "lost client", model: anyEngine, phases: []phase{loading, midStream, evicting, draining}, inject: loseClient, check: checkNoLease, leaves: true},
		{name: "gateway killed", model: anyEngine, inject: killGateway, wide: true, reasons: []string{calls.Broken}},
	}
}

// gatewayKinds returns the faults of the gateway itself.
func gatewayKinds() []*kind {
	with := func(name string, inject func(*episode) (func(), error)) *kind {
		return &kind{name: name, model: anyEngine, inject: inject, wide: true, reasons: []string{calls.Broken, "DRAINING"}}
	}
	return []*kind{
		with("gateway SIGKILL", killGateway),
		with("gateway SIGABRT", func(e *episode) (func(), error) { return nil, e.restart(syscall.SIGABRT) }),
		with("gateway SIGTERM", func(e *episode) (func(), error) { return nil, e.restart(syscall.SIGTERM) }),
		with("gateway killed twice", killTwice),
		with("keys cut off", cutOffKeys),
		with("clock set back", leaveFutureRecords),
	}
}

// anyEngine returns the model of engine-fault, or sometimes that of llama.cpp.
func anyEngine(e *episode) string {
	if e.random.IntN(4) == 0 {
		return real
	}
	return target
}

func noDisk(l *lane) string {
	if l.disk.why != nil {
		return l.disk.why.Error()
	}
	return ""
}

func nothing(*episode) (func(), error) { return nil, nil }

func flooding(e *episode) string {
	return `fault: {"token_count":60,"token_interval_us":1000,"fault_after_tokens":5,"fault":"` + pick(e.random, []string{"flood_log", "flood_stdout", "flood_response"}) + `"}`
}

func misbehaving(e *episode) string {
	return pick(e.random, []string{"load-crash", "load-exit", "load-hang", "load-panic", "load-error", "start-exit", "start-garbage", "start-version", "start-dead"})
}

func misbehavingText(e *episode) string {
	return `fault: {"token_count":60,"token_interval_us":10000,"fault_after_tokens":8,"fault":"` + pick(e.random, []string{"crash", "exit", "hang", "stall", "panic", "error"}) + `"}`
}

// stubborn returns a model whose processes do not end when told.
func stubborn(e *episode) string { return pick(e.random, []string{"stubborn", "parent"}) }

// endWithChildren unloads a model that ignores that, or that has started a process.
func endWithChildren(e *episode) (func(), error) {
	if e.phase == idle {
		e.riders.Go(func() { _ = e.unload(e.model) })
	}
	return nil, nil
}

// harmFile lets the next load find what happened to the model's file, and restores
// it.
func (e *episode) harmFile(reason string, err error) (func(), error) {
	return func() {
		if e.unload(e.model) == nil {
			_, err := e.use(e.context(calls.Patience), e.model)
			if got := errs.ReasonName(errs.ReasonOf(err)); err == nil || got != reason {
				e.violate("a load with the harmed file ended with %v, want %s", err, reason)
			}
		}
		if err := e.restoreModel(); err != nil {
			e.violate("the file cannot be restored: %v", err)
		}
	}, err
}

// exhaustDescriptors leaves the gateway no descriptor.
func exhaustDescriptors(e *episode) (func(), error) {
	pid := e.gateway.Load().pid()
	var before unix.Rlimit
	if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &before); err != nil {
		return nil, err
	}
	none := unix.Rlimit{Cur: 3, Max: before.Max}
	return func() { _ = unix.Prlimit(pid, unix.RLIMIT_NOFILE, &before, nil) }, unix.Prlimit(pid, unix.RLIMIT_NOFILE, &none, nil)
}

// stopReadingLog lets the pipe of the gateway's log become full, and fills it.
func stopReadingLog(e *episode) (func(), error) {
	g := e.gateway.Load()
	g.output.reading.Lock()
	pipe, err := unix.Open(fmt.Sprintf("/proc/%d/fd/2", g.pid()), unix.O_WRONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return g.output.reading.Unlock, err
	}
	for err == nil {
		_, err = unix.Write(pipe, []byte("\n"))
	}
	return g.output.reading.Unlock, unix.Close(pipe)
}

// pauseGateway stops the gateway's process: for it, all clocks jump.
func pauseGateway(e *episode) (func(), error) {
	g := e.gateway.Load()
	g.signal(syscall.SIGSTOP)
	return func() { g.signal(syscall.SIGCONT) }, nil
}

// loseClient lets the client of the request that made the phase leave.
func loseClient(e *episode) (func(), error) {
	e.leave()
	return nil, nil
}
