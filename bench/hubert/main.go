// Command hubert compares pronunciation scoring with ONNX Runtime's Python
// package for the same files, audio and threads, in interleaved rounds, with
// fp32 and 8-bit weights.
//
// The server's time is that of a request, from the recording to the scores. The
// peer's time is that of the network alone.
//
// Usage: go run ./bench/hubert -model FOLDER -audio FILE -python PYTHON [flags]   (make bench prepares everything)
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/lexilingo/modelgateway/bench/internal/benchkit"
	"github.com/lexilingo/modelgateway/bench/internal/report"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

type options struct {
	model, audio, server, python, peer string
	threads, rounds                    int
	quick, verbose                     bool
}

func main() {
	var o options
	flag.StringVar(&o.model, "model", "", "folder with model.onnx, vocab.json and optionally model_int8.onnx (bench/make_speech.py creates one)")
	flag.StringVar(&o.audio, "audio", "", "speech: samples/jfk.wav of whisper.cpp")
	flag.StringVar(&o.server, "server", "bin/modelgateway", "the server program")
	flag.StringVar(&o.python, "python", os.Getenv("MG_PYTHON"), "a Python with onnxruntime")
	flag.StringVar(&o.peer, "peer", "bench/peer.py", "the script that runs it")
	flag.IntVar(&o.threads, "threads", 2, "inference threads")
	flag.IntVar(&o.rounds, "rounds", 5, "rounds")
	flag.BoolVar(&o.quick, "quick", false, "one round with the starter model, to check that it works")
	flag.BoolVar(&o.verbose, "v", false, "show the programs' output")
	flag.Parse()
	if o.quick {
		o.model, o.rounds = "models/starter/pronunciation.onnx", 1
	}
	benchkit.Main("bench/hubert", func(ctx context.Context) error { return run(ctx, o) })
}

// variant is a file of the model.
type variant struct {
	name       string
	path, file string // of the configuration; file is "" for the default
	onnx       string
}

// variants returns the files of a model, fp32 first.
func variants(model string) ([]variant, error) {
	path, err := filepath.Abs(model)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []variant{{name: "fp32", path: path, onnx: path}}, nil
	}
	found := []variant{{name: "fp32", path: path, onnx: filepath.Join(path, "model.onnx")}}
	const int8File = "model_int8.onnx"
	if _, err := os.Stat(filepath.Join(path, int8File)); err == nil {
		found = append(found, variant{name: "int8", path: path, file: int8File, onnx: filepath.Join(path, int8File)})
	}
	return found, nil
}

// configuration returns a configuration with a model for each variant. Both fit
// into the budget.
func configuration(variants []variant, threads int) string {
	config := "max_memory_mb: 12000\nmodels:\n"
	for _, v := range variants {
		config += fmt.Sprintf("  %s: {engine: hubert, path: %q, threads: %d", v.name, v.path, threads)
		if v.file != "" {
			config += fmt.Sprintf(", parameters: {file: %s}", v.file)
		}
		config += "}\n"
	}
	return config + "tasks:\n  pronunciation: {primary: fp32}\n"
}

func run(ctx context.Context, o options) error {
	if o.model == "" || o.python == "" {
		return errors.New("give a model with -model and a Python with -python")
	}
	files, err := variants(o.model)
	if err != nil {
		return err
	}
	speech, err := benchkit.ReadClip(ctx, o.audio)
	if err != nil {
		return err
	}
	log := io.Discard
	if o.verbose {
		log = os.Stderr
	}
	g, err := benchkit.StartServer(ctx, log, o.server, configuration(files, o.threads))
	if err != nil {
		return err
	}
	defer g.Stop()
	args := []string{o.peer, "ctc", strconv.Itoa(o.threads)}
	for _, v := range files {
		if err := g.Load(ctx, v.name); err != nil {
			return err
		}
		args = append(args, v.onnx)
	}
	p, err := benchkit.StartPeer(log, o.python, args...)
	if err != nil {
		return err
	}
	defer p.Stop()
	versions, err := p.Versions()
	if err != nil {
		return err
	}
	r := report.New("hubert", "Pronunciation scores", o.server)
	r.Version(versions)
	for _, v := range files {
		r.Setting("hubert %s %s", v.name, benchkit.FileSize(v.onnx))
	}
	r.Setting("%d threads · audio %s · %d rounds", o.threads, filepath.Base(o.audio), o.rounds)
	b := bench{report: r, client: gatewayv1.NewModelGatewayServiceClient(g.Conn), peer: p, variants: files}
	if b.dir, err = os.MkdirTemp("", "bench-hubert-"); err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(b.dir) }()
	for _, seconds := range []float64{3, 10} {
		if err := b.compare(ctx, o.rounds, speech.Cut(seconds)); err != nil {
			return err
		}
	}
	return r.Write()
}
