package fault

import (
	"context"
	"os"

	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/lexilingo/modelgateway/engines"
	"github.com/lexilingo/modelgateway/engines/errs"
)

// invokeParameters are the parameters of all methods together.
type invokeParameters struct {
	Bytes int64 `json:"bytes"`
}

// Invoke implements engines.Invoker:
//
//	echo         returns its parameters
//	allocate     allocates {"bytes": N} more and keeps them
//	free         frees all allocated memory
//	spawn_child  starts a child that keeps the worker's pipes open → {"pid": N}
//	process      → {"environment": […], "limits": {…}, "no_new_privileges": B}
//	crash, exit, hang, panic, error  as RunParameters.Fault
func (m *model) Invoke(ctx context.Context, method string, params *structpb.Struct) (*structpb.Struct, error) {
	m.work.Add(1)
	if method == "echo" {
		return params, nil
	}
	var p invokeParameters
	if err := engines.DecodeParameters(params, &p); err != nil {
		return nil, err
	}
	switch method {
	case "allocate":
		err := m.memory.grow(ctx, p.Bytes, func(float64) { m.work.Add(1) })
		return &structpb.Struct{}, err
	case "free":
		m.memory.free()
		return &structpb.Struct{}, nil
	case "spawn_child":
		pid, err := spawnChild()
		if err != nil {
			return nil, err
		}
		return structpb.NewStruct(map[string]any{"pid": pid})
	case "process":
		return process()
	case "crash", "exit", "hang", "panic", "error":
		return nil, misbehave(method)
	default:
		return nil, errs.New(errs.InvalidRequest, "unknown method %q", method)
	}
}

// process returns the environment and limits that the worker got from its host.
func process() (*structpb.Struct, error) {
	limits := map[string]any{}
	for name, which := range map[string]int{
		"core": unix.RLIMIT_CORE, "data": unix.RLIMIT_DATA, "nofile": unix.RLIMIT_NOFILE,
	} {
		var l unix.Rlimit
		if err := unix.Getrlimit(which, &l); err != nil {
			return nil, err
		}
		limits[name] = float64(l.Max)
	}
	noNew, err := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)
	if err != nil {
		return nil, err
	}
	var environment []any
	for _, kv := range os.Environ() {
		environment = append(environment, kv)
	}
	return structpb.NewStruct(map[string]any{
		"environment":       environment,
		"limits":            limits,
		"no_new_privileges": noNew == 1,
		"group":             unix.Getpgrp(),
	})
}
