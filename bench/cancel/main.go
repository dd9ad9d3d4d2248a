// Command cancel measures how soon after a cancel a model's worker is idle: the
// request no longer active, and the processor left alone.
// Each round cancels in the midst of a prompt that takes seconds to read.
//
// Usage: go run ./bench/cancel -model FILE [flags]   (make bench builds what it needs)
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/procfs"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/lexilingo/modelgateway/bench/internal/benchkit"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

const (
	config = `
models:
  qwen:
    engine: llama
    path: %s
    memory_mb: 100
    priority: critical
    threads: %d
    parameters: {n_ctx: 4096}
tasks:
  chat: {primary: qwen}
`
	watched = 2 * time.Second      // how long the worker is looked at after a cancel
	sampled = 2 * time.Millisecond // how often
	// noise is the seconds of processor time that an idle worker may use meanwhile.
	noise = 0.02
)

type options struct {
	model, gateway string
	threads        int
	rounds, tokens int
	after          time.Duration
}

func main() {
	var o options
	flag.StringVar(&o.model, "model", "", "GGUF file (bench/make_model.py makes one)")
	flag.StringVar(&o.gateway, "gateway", "bin/modelgateway", "the gateway's program")
	flag.IntVar(&o.threads, "threads", 2, "inference threads")
	flag.IntVar(&o.rounds, "rounds", 30, "cancels")
	flag.IntVar(&o.tokens, "tokens", 1000, "words of a prompt, each a token at least")
	flag.DurationVar(&o.after, "after", 500*time.Millisecond, "time from a request to its cancel")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench/cancel:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	if o.model == "" {
		return fmt.Errorf("name a model with -model")
	}
	model, err := filepath.Abs(o.model)
	if err != nil {
		return err
	}
	g, err := benchkit.StartGateway(ctx, io.Discard, o.gateway, fmt.Sprintf(config, model, o.threads))
	if err != nil {
		return err
	}
	defer g.Stop()
	if err := g.Load(ctx, "qwen"); err != nil {
		return err
	}
	var ended, idle benchkit.Series
	for round := range o.rounds {
		a, b, err := cancel(ctx, o, g, round)
		if err != nil {
			return err
		}
		ended.Add(float64(a.Milliseconds()))
		idle.Add(float64(b.Milliseconds()))
	}
	fmt.Printf("%d cancels %v into a prompt of %d words, %d threads\n", o.rounds, o.after, o.tokens, o.threads)
	fmt.Printf("request ended after ms   median %s  p99 %.4g\n", ended.Format(), ended.Quantile(0.99))
	fmt.Printf("processor idle after ms  median %s  p99 %.4g\n", idle.Format(), idle.Quantile(0.99))
	return nil
}

// cancel returns the times from a cancel to the request's end and to the last
// work of the worker's process.
func cancel(ctx context.Context, o options, g *benchkit.Gateway, round int) (ended, idle time.Duration, err error) {
	requestCtx, stop := context.WithCancel(ctx) // a deadline would reach the worker ahead of time
	defer time.AfterFunc(o.after, stop).Stop()
	// Each begins otherwise, so that nothing of it is cached.
	prompt := fmt.Sprintf("Round %d.%s", round, strings.Repeat(" word", o.tokens))
	_, err = gatewayv1.NewModelGatewayServiceClient(g.Conn).Chat(requestCtx, &gatewayv1.ChatRequest{
		Messages: []*gatewayv1.ChatMessage{{Role: gatewayv1.Role_ROLE_USER, Content: prompt}},
	})
	start := time.Now()
	if status.Code(err) != codes.Canceled {
		return 0, 0, fmt.Errorf("the request was not cancelled in its midst: %w", err)
	}
	admin := gatewayv1.NewModelAdminServiceClient(g.Conn)
	var at []time.Duration
	var used []float64
	for time.Since(start) < watched {
		now := time.Since(start)
		got, err := admin.GetModel(ctx, &gatewayv1.GetModelRequest{Name: "qwen"})
		if err != nil {
			return 0, 0, err
		}
		if got.GetModel().GetActiveCount() > 0 {
			ended = now + sampled
		}
		seconds, err := cpuSeconds(int(got.GetModel().GetWorkerPid()))
		if err != nil {
			return 0, 0, err
		}
		at, used = append(at, now), append(used, seconds)
		time.Sleep(sampled)
	}
	for i := range used {
		if used[len(used)-1]-used[i] <= noise {
			return ended, max(ended, at[i]), nil
		}
	}
	return ended, watched, nil
}

func cpuSeconds(pid int) (float64, error) {
	proc, err := procfs.NewProc(pid)
	if err != nil {
		return 0, err
	}
	stat, err := proc.Stat()
	return stat.CPUTime(), err
}
