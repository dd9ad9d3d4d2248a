package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/test/internal/calls"
)

const (
	// lookEvery is how often the processes and the gateway's own report are compared.
	lookEvery = 100 * time.Millisecond
	// mostWrong is how long the report may be wrong, and a process may be left.
	mostWrong = time.Second
	// mostGrown is how long a worker may hold more than the budget after it grew by
	// itself. A busy gateway measures each worker once a second.
	mostGrown = 2 * time.Second
)

// process is a process of this machine.
type process struct {
	parent  int
	ended   bool   // all its threads have: its parent can wait for it
	program string // only of engines
}

// fields of /proc/PID/stat behind the name.
const (
	statState   = 0
	statParent  = 1
	statThreads = 17
)

// processes returns all processes by id.
func processes() map[int]process {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	all := map[int]process{}
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile(filepath.Join("/proc", entry.Name(), "stat"))
		if err != nil {
			continue
		}
		before, rest, _ := strings.Cut(string(stat), ") ")
		fields := strings.Fields(rest)
		if len(fields) <= statThreads {
			continue
		}
		// The first thread of a process is a zombie as soon as it ends, which may be long
		// before the last one does.
		p := process{ended: fields[statState] == "Z" && (fields[statThreads] == "1" || fields[statThreads] == "0")}
		p.parent, _ = strconv.Atoi(fields[statParent])
		if strings.HasSuffix(before, "(engine-fault") {
			p.program, _ = os.Readlink(filepath.Join("/proc", entry.Name(), "exe"))
		}
		all[pid] = p
	}
	return all
}

// observer watches one lane.
type observer struct {
	*lane
	gateway *gateway
	since   map[string]time.Time // when each thing that is wrong was first seen
	told    map[string]bool      // what is reported already
	seen    map[string]bool      // what is wrong now
}

// observe checks the processes, the memory and the health of a lane until ctx ends.
func (l *lane) observe(ctx context.Context) {
	o := &observer{lane: l}
	for ctx.Err() == nil {
		if g := l.gateway.Load(); g != o.gateway {
			o.gateway, o.since, o.told = g, map[string]time.Time{}, map[string]bool{}
		}
		o.seen = map[string]bool{}
		o.look(ctx)
		for what := range o.since {
			if !o.seen[what] {
				delete(o.since, what)
			}
		}
		time.Sleep(lookEvery)
	}
}

// wrong notes something that is wrong, and reports it once it is so for too long.
func (o *observer) wrong(format string, args ...any) {
	o.wrongFor(mostWrong, fmt.Sprintf(format, args...))
}

func (o *observer) wrongFor(most time.Duration, what string) {
	o.seen[what] = true
	began, ok := o.since[what]
	if !ok {
		began = time.Now()
		o.since[what] = began
	}
	if took := time.Since(began); took > most+o.slack(began) && !o.told[what] && !o.harmed(began) {
		o.told[what] = true
		o.violate("for %v: %s", took.Round(time.Millisecond), what)
	}
}

func (o *observer) look(ctx context.Context) {
	began := time.Now()
	limited, cancel := context.WithTimeout(ctx, calls.Patience)
	defer cancel()
	st, err := o.gateway.models.Status(limited, &gatewayv1.StatusRequest{})
	var health map[string]string
	if err == nil {
		health, err = o.readHealth(limited)
	}
	took := time.Since(began)
	if ctx.Err() != nil || o.harmed(began) || o.lane.gateway.Load() != o.gateway {
		return
	}
	if err != nil {
		o.violate("the state cannot be read: %v", err)
		return
	}
	if took > mostWrong+o.slack(began) {
		o.violate("Status and /health took %v", took)
	}
	o.checkBudget(st)
	o.checkProcesses(st, processes())
	for _, m := range st.GetModels() {
		if name := stateNames[m.GetState()]; health[m.GetName()] != name {
			o.wrong("model %s is %q in /health, %q in Status", m.GetName(), health[m.GetName()], name)
		}
	}
}

func (o *observer) checkBudget(st *gatewayv1.StatusResponse) {
	used, budget := st.GetMemoryUsedBytes(), st.GetMemoryBudgetBytes()
	if used <= budget {
		return
	}
	if e := o.present.Load(); e != nil && e.kind.grows {
		o.wrongFor(mostGrown, "more is charged than the budget")
		return
	}
	o.violate("%d bytes are charged, the budget is %d", used, budget)
}

// checkProcesses compares the processes that run with those that the gateway reports.
func (o *observer) checkProcesses(st *gatewayv1.StatusResponse, all map[int]process) {
	reported := map[int]bool{}
	starting := 0 // models whose process is not reported yet: it is being put into a cgroup, which waits for the kernel
	for _, m := range st.GetModels() {
		pid := int(m.GetWorkerPid())
		if pid == 0 {
			if m.GetState() == gatewayv1.ModelState_MODEL_STATE_LOADING {
				starting++
			}
			continue
		}
		reported[pid] = true
		switch p, ok := all[pid]; {
		case !ok:
			o.wrong("model %s is %s, but its process %d is gone", m.GetName(), stateNames[m.GetState()], pid)
		case p.ended:
			o.wrong("model %s is %s, but its process %d has ended", m.GetName(), stateNames[m.GetState()], pid)
		}
	}
	for pid, p := range all {
		if p.ended && p.parent == o.gateway.pid() {
			o.wrong("process %d is a zombie", pid)
		}
		if !strings.HasPrefix(p.program, filepath.Join(o.dir, "bin")) || reported[pid] {
			continue
		}
		switch {
		case p.parent == o.gateway.pid() && starting > 0:
			starting--
		case p.parent == o.gateway.pid():
			o.wrong("process %d is not the worker of any model", pid)
		case !reported[p.parent]:
			o.wrong("process %d is an orphan: its parent is %d", pid, p.parent)
		}
	}
}

// stateNames are the names of states in /health.
var stateNames = map[gatewayv1.ModelState]string{
	gatewayv1.ModelState_MODEL_STATE_UNLOADED: "unloaded",
	gatewayv1.ModelState_MODEL_STATE_LOADING:  "loading",
	gatewayv1.ModelState_MODEL_STATE_READY:    "ready",
	gatewayv1.ModelState_MODEL_STATE_DRAINING: "unloading",
	gatewayv1.ModelState_MODEL_STATE_FAILED:   "error",
}

// readHealth returns the states of the models in /health.
func (o *observer) readHealth(ctx context.Context) (map[string]string, error) {
	resp, err := o.gateway.Get(ctx, "/health")
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	var health struct {
		GatewayStatus struct {
			Models map[string]struct{ Status string }
		} `json:"gateway_status"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&health); err != nil {
		return nil, err
	}
	states := map[string]string{}
	for name, m := range health.GatewayStatus.Models {
		states[name] = m.Status
	}
	return states, nil
}

// besides makes requests of every kind to the model that must not notice the faults,
// until ctx ends.
func (l *lane) besides(ctx context.Context) {
	kinds := append(calls.Inferences(), calls.Questions()...)
	for i := 0; ctx.Err() == nil; i++ {
		c := kinds[i%len(kinds)]
		g, began := l.gateway.Load(), time.Now()
		const deadline = 20 * time.Second
		limited, cancel := patient(deadline)
		got := c.Do(limited, g.Link, calls.Ask{Model: beside, Text: calls.Hello, Deadline: deadline})
		cancel()
		if c.Inference {
			l.count(g, got.Reason == "")
		}
		if got.Reason != "" && !l.harmed(began) {
			l.violate("beside the fault, %s ended with %s", c.Name, got)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
