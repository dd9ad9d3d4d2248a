package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/lexilingo/modelgateway/bench/internal/benchkit"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

type server struct {
	*benchkit.Server
	client gatewayv1.ModelGatewayServiceClient
}

const serverConfig = `
models:
  qwen:
    engine: llama
    path: %s
    memory_mb: 100
    priority: critical
    threads: %d
    max_concurrency: %d
    parameters:
      n_ctx: %d
tasks:
  chat: {primary: qwen}
  grammar: {primary: qwen}
`

func startServer(ctx context.Context, o options) (*server, error) {
	model, err := filepath.Abs(o.model)
	if err != nil {
		return nil, err
	}
	g, err := benchkit.StartServer(ctx, output(o), o.server,
		fmt.Sprintf(serverConfig, model, o.threads, parallel, o.contextLength))
	if err != nil {
		return nil, err
	}
	if err := g.Load(ctx, "qwen"); err != nil {
		g.Stop()
		return nil, err
	}
	return &server{Server: g, client: gatewayv1.NewModelGatewayServiceClient(g.Conn)}, nil
}

func (g *server) chat(ctx context.Context, system, user string, maxTokens int) (answer, error) {
	greedy, limit := float32(0), int32(maxTokens)
	start := time.Now()
	stream, err := g.client.StreamChat(ctx, &gatewayv1.StreamChatRequest{
		Messages: []*gatewayv1.ChatMessage{
			{Role: gatewayv1.Role_ROLE_SYSTEM, Content: system},
			{Role: gatewayv1.Role_ROLE_USER, Content: user},
		},
		Sampling: &gatewayv1.SamplingOptions{Temperature: &greedy, MaxTokens: &limit, PresencePenalty: new(float32)},
	})
	if err != nil {
		return answer{}, err
	}
	var a answer
	var last time.Time
	for {
		piece, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			a.decode = last.Sub(start) - a.firstToken
			return a, nil
		}
		if err != nil {
			return answer{}, err
		}
		if piece.GetDelta() != "" {
			last = time.Now()
			if a.firstToken == 0 {
				a.firstToken = last.Sub(start)
			}
		}
		if u := piece.GetUsage(); u != nil {
			a.tokens = int(u.GetCompletionTokenCount())
		}
	}
}
