package server

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/auth"
)

// TestPriorityOfAKey checks that a key does not get more than its highest priority by
// leaving the priority to the model.
func TestPriorityOfAKey(t *testing.T) {
	g := startGuarded(t, `grpc_listen: 127.0.0.1:0
http_listen: 127.0.0.1:0
max_memory_mb: 1000
cpu_threads: 64
drain_timeout: 10s
engines:
  fault: {command: [engine-fault]}
models:
  resident: {engine: fault, path: MODEL, memory_mb: 600, threads: 1}
  urgent: {engine: fault, path: MODEL, memory_mb: 600, threads: 1, priority: critical}
tasks:
  chat: {primary: resident}
`, &auth.Key{Name: "low", Roles: auth.Roles(), MaxPriority: "low"}, &auth.Key{Name: "normal", Roles: auth.Roles()})
	chat := func(name, model string, patience time.Duration) error {
		ctx, cancel := context.WithTimeout(g.as(t, name), patience)
		defer cancel()
		_, err := g.chat.Chat(ctx, &gatewayv1.ChatRequest{Messages: say("Hello"), Model: model})
		return err
	}
	load := func(name string) error {
		ctx, cancel := context.WithTimeout(g.as(t, name), 2*time.Second)
		defer cancel()
		stream, err := g.admin.LoadModel(ctx, &gatewayv1.LoadModelRequest{Name: "urgent"})
		for err == nil {
			_, err = stream.Recv()
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		return err
	}
	if err := chat("low", "resident", time.Minute); err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{"a request": chat("low", "urgent", 2*time.Second), "a load": load("low")} {
		if reason := errs.ReasonOf(err); reason != errs.MemoryBusy && reason != errs.DeadlineExceeded {
			t.Errorf("%s of low priority displaced a model of normal priority: %v", what, err)
		}
	}
	if err := chat("normal", "urgent", time.Minute); err != nil {
		t.Errorf("a request of normal priority: %v", err)
	}
}
