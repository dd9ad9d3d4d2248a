package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/lexilingo/modelgateway/bench/internal/benchkit"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

type gateway struct {
	process *benchkit.Process
	conn    *grpc.ClientConn
	client  gatewayv1.ModelGatewayServiceClient
	dir     string
}

const gatewayConfig = `
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
`

func startGateway(ctx context.Context, o options) (*gateway, error) {
	model, err := filepath.Abs(o.model)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "bench-chat-")
	if err != nil {
		return nil, err
	}
	g := &gateway{dir: dir}
	config := filepath.Join(dir, "config.yaml")
	text := fmt.Sprintf(gatewayConfig, model, o.threads, parallel, o.contextLength)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, err
	}
	grpcAddr, err := benchkit.FreeAddr()
	if err != nil {
		return nil, err
	}
	httpAddr, err := benchkit.FreeAddr()
	if err != nil {
		return nil, err
	}
	if g.process, err = benchkit.Start(output(o), nil, o.gateway, "serve", "--config", config,
		"--state-dir", filepath.Join(dir, "state"), "--grpc-listen", grpcAddr, "--http-listen", httpAddr); err != nil {
		return nil, err
	}
	if err := g.open(ctx, grpcAddr, httpAddr); err != nil {
		g.stop()
		return nil, err
	}
	return g, nil
}

// open waits for the server and loads the model.
func (g *gateway) open(ctx context.Context, grpcAddr, httpAddr string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	if _, err := g.process.WaitHTTP(ctx, "http://"+httpAddr+"/readyz", 20*time.Millisecond); err != nil {
		return err
	}
	var err error
	if g.conn, err = grpc.NewClient(grpcAddr, grpc.WithTransportCredentials(insecure.NewCredentials())); err != nil {
		return err
	}
	g.client = gatewayv1.NewModelGatewayServiceClient(g.conn)
	load, err := gatewayv1.NewModelAdminServiceClient(g.conn).LoadModel(ctx, &gatewayv1.LoadModelRequest{Name: "qwen", Pin: true})
	if err != nil {
		return err
	}
	for {
		if _, err := load.Recv(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func (g *gateway) stop() {
	if g.conn != nil {
		_ = g.conn.Close()
	}
	if g.process != nil {
		g.process.Stop()
	}
	_ = os.RemoveAll(g.dir)
}

func (g *gateway) chat(ctx context.Context, system, user string, maxTokens int) (answer, error) {
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
