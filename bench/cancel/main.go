// Command cancel measures how soon after a cancellation a worker is idle: the
// request is not active any more, and the worker uses no processor time.
// Each round cancels work that takes seconds: a prompt, the encoder for a
// recording, or a sentence.
//
// Usage: go run ./bench/cancel -engine ENGINE -model FILE [flags]   (make bench prepares everything)
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
	"github.com/lexilingo/modelgateway/bench/internal/report"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

const (
	watched = 2 * time.Second      // how long the worker is observed after a cancellation
	sampled = 2 * time.Millisecond // how often
	// noise is the processor time in seconds that an idle worker may use in that time.
	noise = 0.02
)

type options struct {
	engine, model, audio, server string
	threads                      int
	rounds, tokens               int
	after                        time.Duration
	quick                        bool
}

func main() {
	var o options
	flag.StringVar(&o.engine, "engine", "llama", "llama, whisper, piper or hubert")
	flag.StringVar(&o.model, "model", "", "model of the engine (bench/make_model.py and bench/make_speech.py create some)")
	flag.StringVar(&o.audio, "audio", "", "speech for whisper and hubert: samples/jfk.wav of whisper.cpp")
	flag.StringVar(&o.server, "server", "bin/modelgateway", "the server program")
	flag.IntVar(&o.threads, "threads", 2, "inference threads")
	flag.IntVar(&o.rounds, "rounds", 30, "number of cancellations")
	flag.IntVar(&o.tokens, "tokens", 1000, "words of the prompt for llama; each is at least one token")
	flag.DurationVar(&o.after, "after", 500*time.Millisecond, "time from a request to its cancellation")
	flag.BoolVar(&o.quick, "quick", false, "one cancellation, to check that it works; the model must need at least a second")
	flag.Parse()
	if o.quick {
		o.rounds = 1
	}
	benchkit.Main("bench/cancel", func(ctx context.Context) error { return run(ctx, o) })
}

func run(ctx context.Context, o options) error {
	if o.model == "" {
		return fmt.Errorf("give a model with -model")
	}
	model, err := filepath.Abs(o.model)
	if err != nil {
		return err
	}
	t, err := newTask(ctx, o)
	if err != nil {
		return err
	}
	g, err := benchkit.StartServer(ctx, io.Discard, o.server, fmt.Sprintf(config, t.engine, model, o.threads, t.parameters, t.task))
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
	r := report.New("cancel-"+t.engine, "Cancellation of "+t.what, o.server)
	r.Setting("%s %s: %d cancellations after %v of %s, %d threads", t.engine, benchkit.FileSize(model), o.rounds, o.after, t.what, o.threads)
	unit := report.Unit{Name: "ms", Better: report.Lower}
	r.Measure("request ended after", unit, ended)
	r.Measure("processor idle after", unit, idle)
	return r.Write()
}

// cancel returns the time from a cancellation to the end of the request, and to
// the last work of the worker process.
func cancel(ctx context.Context, after time.Duration, t task, g *benchkit.Server, round int) (ended, idle time.Duration, err error) {
	requestCtx, stop := context.WithCancel(ctx) // not a deadline, which the worker would know in advance
	defer time.AfterFunc(after, stop).Stop()
	err = t.call(requestCtx, gatewayv1.NewModelGatewayServiceClient(g.Conn), round)
	start := time.Now()
	if status.Code(err) != codes.Canceled {
		return 0, 0, fmt.Errorf("the request ended before it was cancelled: %w", err)
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
