package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/test/internal/calls"
)

// workerCgroup returns the folder and the names of the files of the worker's memory
// cgroup.
func workerCgroup(pid int) (dir, usage, limit string, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		return "", "", "", err
	}
	for line := range strings.SplitSeq(strings.TrimSpace(string(text)), "\n") {
		fields := strings.SplitN(line, ":", 3)
		if len(fields) != 3 || !strings.Contains(fields[2], "modelgateway-worker-") {
			continue
		}
		if fields[1] == "memory" {
			return filepath.Join("/sys/fs/cgroup/memory", fields[2]), "memory.usage_in_bytes", "memory.limit_in_bytes", nil
		}
		if fields[1] == "" {
			return filepath.Join("/sys/fs/cgroup", fields[2]), "memory.current", "memory.max", nil
		}
	}
	return "", "", "", errors.New("the worker has no memory cgroup of its own")
}

// noCgroup returns why no worker can run out of the memory of its cgroup.
func noCgroup(l *lane) string {
	m, err := l.gateway.Load().model(context.Background(), beside)
	if err == nil {
		_, _, _, err = workerCgroup(int(m.GetWorkerPid()))
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// runOutOfMemory lowers the limit of the worker's cgroup to little more than what it
// uses. The model takes more each moment, and the kernel kills it.
func runOutOfMemory(e *episode) (func(), error) {
	dir, usage, limit, err := workerCgroup(e.pid)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil // it has ended
	}
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(dir, usage))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	used, err2 := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err := errors.Join(err, err2); err != nil {
		return nil, err
	}
	const room = 256 << 10
	err = os.WriteFile(filepath.Join(dir, limit), []byte(strconv.FormatInt(used+room, 10)), 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return nil, err
}

// checkMemoryTold checks that a request whose worker the kernel killed is told why.
func checkMemoryTold(e *episode) {
	if e.phase != midStream {
		return
	}
	for r := range e.ends {
		if r.model == e.model && r.Reason == "ENGINE_CRASHED" && !strings.Contains(r.Detail, "memory limit") {
			e.violate("%s ended with %s, which does not name the memory limit", r.call, r.End)
		}
	}
}

// grower returns a model with a new file, of which the gateway has learned nothing: it
// would reserve what the model took before.
func grower(e *episode) string {
	if err := replaceFile(filepath.Join(e.dir, "models", "grower.bin"), fmt.Sprintf("a model for %s", e.planned)); err != nil {
		e.violate("the file cannot be written: %v", err)
	}
	return "grower"
}

// growTooFar lets the worker take more memory than there is for all models.
func growTooFar(e *episode) (func(), error) {
	e.riders.Go(func() {
		ctx := e.context(20 * time.Second)
		g := e.gateway.Load()
		e.count(g, true)
		_, err := g.models.Invoke(ctx, &gatewayv1.InvokeRequest{
			ModelName: e.model, Method: "allocate", Params: calls.Struct(map[string]any{"bytes": 400 << 20}),
		})
		e.history.add("Invoke allocate ended: %v", err)
		e.awaitWorkerGone()
	})
	return nil, nil
}

// awaitWorkerGone waits until the gateway has ended the worker, which it must soon.
func (e *episode) awaitWorkerGone() {
	for began := time.Now(); ; time.Sleep(3 * time.Millisecond) {
		m, err := e.gateway.Load().model(e.context(calls.Patience), e.model)
		if err != nil || int(m.GetWorkerPid()) != e.pid {
			return
		}
		if late := time.Since(began); late > mostGrown+e.slack(began) {
			e.violate("%v after it took more memory than the budget, the worker still runs", late)
			return
		}
	}
}

// context returns a context with a time limit.
func (e *episode) context(limit time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	time.AfterFunc(limit, cancel)
	return ctx
}

// checkNoLease checks that a request whose client left does not hold its model.
func checkNoLease(e *episode) {
	began := time.Now()
	for {
		m, err := e.gateway.Load().model(e.context(calls.Patience), e.model)
		if err != nil {
			e.violate("GetModel: %v", err)
			return
		}
		if m.GetActiveCount()+m.GetQueuedCount() == 0 {
			return
		}
		if late := time.Since(began); late > time.Second+e.slack(began) {
			e.violate("%v after its client left, the model still has %d requests", late, m.GetActiveCount()+m.GetQueuedCount())
			return
		}
		time.Sleep(3 * time.Millisecond)
	}
}
