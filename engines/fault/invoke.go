package fault

import (
	"context"
	"net"
	"os"
	"strings"

	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/lexilingo/modelgateway/engines"
	"github.com/lexilingo/modelgateway/engines/errs"
)

// invokeParameters are the parameters of all methods together.
type invokeParameters struct {
	Bytes   int64  `json:"bytes"`
	Address string `json:"address"`
	Path    string `json:"path"`
	PID     int    `json:"pid"`
}

// Invoke implements engines.Invoker:
//
//	echo         returns its parameters
//	allocate     allocates {"bytes": N} more and keeps them
//	free         frees all allocated memory
//	spawn_child  starts a child that keeps the worker's pipes open → {"pid": N}
//	process      → {"environment": […], "limits": {…}, "no_new_privileges": B}
//	connect      connects to {"address": "tcp:…" | "udp:…" | "unix:…"} → {"error": S}
//	read, write  opens and reads or writes {"path": P} → {"error": S}
//	signal       sends signal 0 to {"pid": N} → {"error": S}
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
	case "connect", "read", "write", "signal":
		return attempt(method, p)
	case "crash", "exit", "hang", "panic", "error":
		return nil, misbehave(method)
	default:
		return nil, errs.New(errs.InvalidRequest, "unknown method %q", method)
	}
}

// attempt does what an isolated worker must not do. The error is "" if it succeeds.
func attempt(method string, p invokeParameters) (*structpb.Struct, error) {
	var err error
	switch method {
	case "connect":
		network, address, _ := strings.Cut(p.Address, ":")
		var conn net.Conn
		if conn, err = net.Dial(network, address); err == nil {
			err = conn.Close()
		}
	case "read":
		var f *os.File
		if f, err = os.Open(p.Path); err == nil {
			_, err = f.Read(make([]byte, 1))
			_ = f.Close() // it was only read
		}
	case "write":
		err = os.WriteFile(p.Path, []byte("written by engine-fault"), 0o600)
	case "signal":
		err = unix.Kill(p.PID, 0)
	}
	text := ""
	if err != nil {
		text = err.Error()
	}
	return structpb.NewStruct(map[string]any{"error": text})
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
