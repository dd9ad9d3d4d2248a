// Command memory compares the peak memory of a worker with its reservation: at
// the first load with the estimate from the file, at the second load also with
// the size learned from the first.
//
// The work needs much memory: as many concurrent requests as the engine allows,
// each of the largest kind.
//
// Usage: go run ./bench/memory -audio FILE [-whisper FILE] [-piper FILE] [-hubert FOLDER] [-llama FILE] [flags]
// (make bench prepares everything)
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/lexilingo/modelgateway/bench/internal/benchkit"
	"github.com/lexilingo/modelgateway/bench/internal/report"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

type options struct {
	whisper, piper, hubert, llama string
	audio, server                 string
	threads                       int
	quick, verbose                bool
}

func main() {
	var o options
	flag.StringVar(&o.whisper, "whisper", "", "whisper ggml file")
	flag.StringVar(&o.piper, "piper", "", "Piper voice")
	flag.StringVar(&o.hubert, "hubert", "", "folder of a CTC model")
	flag.StringVar(&o.llama, "llama", "", "GGUF file")
	flag.StringVar(&o.audio, "audio", "", "speech: samples/jfk.wav of whisper.cpp")
	flag.StringVar(&o.server, "server", "bin/modelgateway", "the server program")
	flag.IntVar(&o.threads, "threads", 2, "inference threads")
	flag.BoolVar(&o.quick, "quick", false, "use the starter models, to check that it works")
	flag.BoolVar(&o.verbose, "v", false, "show the server's output")
	flag.Parse()
	if o.quick {
		const starter = "models/starter/"
		o.whisper, o.piper, o.hubert, o.llama = starter+"whisper.bin", starter+"voice.onnx", starter+"pronunciation.onnx", starter+"chat.gguf"
	}
	benchkit.Main("bench/memory", func(ctx context.Context) error { return run(ctx, o) })
}

// Each model fits into the budget and is unloaded before the next.
const config = `
max_memory_mb: 8000
models:
  model: {engine: %s, path: %q, threads: %d}
tasks:
  %s: {primary: model}
`

func run(ctx context.Context, o options) error {
	speech, err := benchkit.ReadClip(ctx, o.audio)
	if err != nil {
		return err
	}
	r := report.New("memory", "Memory of a worker: peak and reservation", o.server)
	r.Side = "peak"
	r.Setting("%d threads", o.threads)
	fmt.Printf("MB: reservation, peak measured by the server, peak measured here every 100 ms (PSS), peak of the kernel (RSS, including mapped files), what is left after the requests (PSS)\n")
	none := true
	for _, l := range loads(o, speech) {
		if l.path == "" {
			continue
		}
		none = false
		if err := l.measure(ctx, o, r); err != nil {
			return fmt.Errorf("%s: %w", l.name, err)
		}
	}
	if none {
		return errors.New("give a model with -whisper, -piper, -hubert or -llama")
	}
	return r.Write()
}

// measure loads and runs a model twice in a new server. At the first load the
// server knows only the file.
func (l load) measure(ctx context.Context, o options, r *report.Report) error {
	path, err := filepath.Abs(l.path)
	if err != nil {
		return err
	}
	log := io.Discard
	if o.verbose {
		log = os.Stderr
	}
	g, err := benchkit.StartServer(ctx, log, o.server, fmt.Sprintf(config, l.engine, path, o.threads, l.task))
	if err != nil {
		return err
	}
	defer g.Stop()
	r.Setting("%s %s: %d at once, each %s", l.name, benchkit.FileSize(path), l.concurrency, l.what)
	for _, kind := range []string{"first", "second"} {
		p, err := l.once(ctx, g)
		if err != nil {
			return err
		}
		fmt.Printf("%-9s %s load: reserved %.0f · server %.0f · here %.0f · RSS %.0f · peak/reserved %.2f · after the requests %.0f · processor %.2f s\n", "", kind,
			p.reserved/1e6, p.seen/1e6, p.sampled/1e6, p.mark/1e6, max(p.seen, p.sampled)/p.reserved, p.after/1e6, p.processor)
		r.Compare(fmt.Sprintf("%s, %s, %s load", l.name, l.what, kind), report.Unit{Name: "MB"}, "reserved",
			benchkit.Series{max(p.seen, p.sampled) / 1e6}, benchkit.Series{p.reserved / 1e6})
	}
	return nil
}

// once loads the model, runs the work, and unloads it.
func (l load) once(ctx context.Context, g *benchkit.Server) (peaks, error) {
	watching, stop := context.WithCancel(ctx)
	defer stop()
	watched := make(chan peaks, 1)
	go func() { watched <- watch(watching, g) }()
	if err := l.work(ctx, g); err != nil {
		return peaks{}, err
	}
	stop()
	p := <-watched
	if p.reserved == 0 || p.sampled == 0 {
		return p, errors.New("the worker was not found")
	}
	return p, g.Unload(ctx, "model")
}

// work loads the model and makes as many concurrent calls as the engine allows.
func (l load) work(ctx context.Context, g *benchkit.Server) error {
	if err := g.Load(ctx, "model"); err != nil {
		return err
	}
	client := gatewayv1.NewModelGatewayServiceClient(g.Conn)
	errs := make([]error, l.concurrency)
	var wait sync.WaitGroup
	for i := range errs {
		wait.Go(func() { errs[i] = l.call(ctx, client) })
	}
	wait.Wait()
	return errors.Join(errs...)
}
