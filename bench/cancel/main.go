// Command cancel measures how soon after a cancel a model's worker is idle: the
// request no longer active, and the processor left alone.
// Each round cancels in the midst of work that takes seconds: a prompt, the encoder of
// a clip, a sentence.
//
// Usage: go run ./bench/cancel -engine ENGINE -model FILE [flags]   (make bench builds what it needs)
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/lexilingo/modelgateway/bench/internal/benchkit"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

const (
	watched = 2 * time.Second      // how long the worker is looked at after a cancel
	sampled = 2 * time.Millisecond // how often
	// noise is the seconds of processor time that an idle worker may use meanwhile.
	noise = 0.02
)

type options struct {
	engine, model, audio, gateway string
	threads                       int
	rounds, tokens                int
	after                         time.Duration
	quick                         bool
}

func main() {
	var o options
	flag.StringVar(&o.engine, "engine", "llama", "llama, whisper, piper or hubert")
	flag.StringVar(&o.model, "model", "", "its model (bench/make_model.py and bench/make_speech.py make some)")
	flag.StringVar(&o.audio, "audio", "", "speech for whisper and hubert: samples/jfk.wav of whisper.cpp")
	flag.StringVar(&o.gateway, "gateway", "bin/modelgateway", "the gateway's program")
	flag.IntVar(&o.threads, "threads", 2, "inference threads")
	flag.IntVar(&o.rounds, "rounds", 30, "cancels")
	flag.IntVar(&o.tokens, "tokens", 1000, "words of a prompt for llama, each a token at least")
	flag.DurationVar(&o.after, "after", 500*time.Millisecond, "time from a request to its cancel")
	flag.BoolVar(&o.quick, "quick", false, "one cancel, to see that it works; with a model that takes a second at least")
	flag.Parse()
	if o.quick {
		o.rounds = 1
	}
	benchkit.Main("bench/cancel", func(ctx context.Context) error { return run(ctx, o) })
}

func run(ctx context.Context, o options) error {
	if o.model == "" {
		return fmt.Errorf("name a model with -model")
	}
	model, err := filepath.Abs(o.model)
	if err != nil {
		return err
	}
	t, err := newTask(ctx, o)
	if err != nil {
		return err
	}
	g, err := benchkit.StartGateway(ctx, io.Discard, o.gateway, fmt.Sprintf(config, t.engine, model, o.threads, t.parameters, t.task))
	if err != nil {
		return err
	}
	defer g.Stop()
	if err := g.Load(ctx, "model"); err != nil {
		return err
	}
	var ended, idle benchkit.Series
	for round := range o.rounds {
		a, b, err := cancel(ctx, o.after, t, g, round)
		if err != nil {
			return err
		}
		ended.Add(float64(a.Milliseconds()))
		idle.Add(float64(b.Milliseconds()))
	}
	fmt.Println(benchkit.Machine())
	fmt.Printf("%s %s: %d cancels %v into %s, %d threads\n", t.engine, benchkit.FileSize(model), o.rounds, o.after, t.what, o.threads)
	fmt.Printf("request ended after ms   median %s  p99 %.4g\n", ended.Format(), ended.Quantile(0.99))
	fmt.Printf("processor idle after ms  median %s  p99 %.4g\n", idle.Format(), idle.Quantile(0.99))
	return nil
}

// cancel returns the times from a cancel to the request's end and to the last
// work of the worker's process.
func cancel(ctx context.Context, after time.Duration, t task, g *benchkit.Gateway, round int) (ended, idle time.Duration, err error) {
	requestCtx, stop := context.WithCancel(ctx) // a deadline would reach the worker ahead of time
	defer time.AfterFunc(after, stop).Stop()
	err = t.call(requestCtx, gatewayv1.NewModelGatewayServiceClient(g.Conn), round)
	start := time.Now()
	if status.Code(err) != codes.Canceled {
		return 0, 0, fmt.Errorf("the request was not cancelled in its midst: %w", err)
	}
	var at []time.Duration
	var used []float64
	for time.Since(start) < watched {
		now := time.Since(start)
		model, err := g.Model(ctx, "model")
		if err != nil {
			return 0, 0, err
		}
		if model.GetActiveCount() > 0 {
			ended = now + sampled
		}
		seconds, err := benchkit.CPUSeconds(int(model.GetWorkerPid()))
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
