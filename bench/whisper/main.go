// Command whisper measures speech to text. It compares recordings with
// whisper-cli for the same file, audio, beams and threads, in interleaved rounds,
// and live streams with the same audio as a recording.
//
// The model may have random weights (bench/make_speech.py). Both sides must give
// the same text, which shows that they did the same work.
//
// Usage: go run ./bench/whisper -model FILE -audio FILE [flags]   (make bench prepares everything)
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/lexilingo/modelgateway/bench/internal/benchkit"
	"github.com/lexilingo/modelgateway/bench/internal/report"
	"github.com/lexilingo/modelgateway/engines/whisper/transcript"
)

type options struct {
	model, audio, server, whisperCLI string
	threads, rounds, streams         int
	streamSeconds                    float64
	quick, verbose                   bool
}

func main() {
	var o options
	flag.StringVar(&o.model, "model", "", "whisper ggml file (bench/make_speech.py creates one)")
	flag.StringVar(&o.audio, "audio", "", "speech: samples/jfk.wav of whisper.cpp")
	flag.StringVar(&o.server, "server", "bin/modelgateway", "the server program")
	flag.StringVar(&o.whisperCLI, "whisper-cli", os.Getenv("MG_NATIVE_TOOLS")+"/whisper-cli", "path of whisper-cli")
	flag.IntVar(&o.threads, "threads", 2, "inference threads")
	flag.IntVar(&o.rounds, "rounds", 5, "rounds of recordings")
	flag.IntVar(&o.streams, "streams", 3, "rounds of streams")
	flag.Float64Var(&o.streamSeconds, "stream-seconds", 22, "length of a stream")
	flag.BoolVar(&o.quick, "quick", false, "one short round with the starter model, to check that it works")
	flag.BoolVar(&o.verbose, "v", false, "show the server's output")
	flag.Parse()
	if o.quick {
		o.model, o.rounds, o.streams, o.streamSeconds = "models/starter/whisper.bin", 1, 1, 3
	}
	benchkit.Main("bench/whisper", func(ctx context.Context) error { return run(ctx, o) })
}

func run(ctx context.Context, o options) error {
	if o.model == "" {
		return errors.New("give a model with -model")
	}
	var err error
	if o.model, err = filepath.Abs(o.model); err != nil {
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
	g, err := startServer(ctx, o, log)
	if err != nil {
		return err
	}
	defer g.Stop()
	dir, err := os.MkdirTemp("", "bench-whisper-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	r := report.New("whisper", "Speech to text", o.server)
	r.Program(o.whisperCLI, "--version")
	r.Setting("%s · %d threads · audio %s · %d rounds of recordings, %d of streams",
		benchkit.FileSize(o.model), o.threads, filepath.Base(o.audio), o.rounds, o.streams)
	cli := whisperCLI{program: o.whisperCLI, model: o.model, dir: dir, threads: o.threads}
	for _, c := range []clipCase{{11, 1}, {11, 5}, {44, 1}} {
		if err := c.compare(ctx, o, r, g, cli, speech.Cut(c.seconds)); err != nil {
			return err
		}
	}
	for _, model := range models() {
		if err := stream(ctx, o, r, g, model, speech.Cut(o.streamSeconds)); err != nil {
			return err
		}
	}
	return r.Write()
}

// clipCase is the length of a recording and a number of beams; 1 is greedy.
type clipCase struct {
	seconds float64
	beams   int
}

// compare measures a clip on both sides.
func (c clipCase) compare(ctx context.Context, o options, r *report.Report, g *server, cli whisperCLI, clip benchkit.Clip) error {
	var took [2]benchkit.Series
	var texts [2]string
	file := clip.WAV()
	err := benchkit.Interleave(o.rounds, 2, func(round, side int) error {
		var elapsed time.Duration
		var err error
		if side == 0 {
			texts[0], elapsed, err = g.recognise(ctx, "auto", file, c.beams)
		} else {
			texts[1], elapsed, err = cli.recognise(ctx, clip, c.beams)
		}
		if round > 0 {
			took[side].Add(elapsed.Seconds() / clip.Seconds())
		}
		return err
	})
	if err != nil {
		return err
	}
	if plain(texts[0]) != plain(texts[1]) || plain(texts[0]) == "" {
		return fmt.Errorf("the sides did not do the same work: the server wrote %q, whisper-cli %q", texts[0], texts[1])
	}
	what := fmt.Sprintf("recording of %g s, beams: %d", c.seconds, c.beams)
	r.Compare(what, report.Unit{Name: "time / length of the audio", Better: report.Lower}, "whisper-cli", took[0], took[1])
	return nil
}

// plain returns the part of a text that is compared. Characters that are split
// between tokens are left out, because the two sides write them differently.
func plain(text string) string {
	return strings.ReplaceAll(transcript.Clean(strings.ToValidUTF8(text, "\uFFFD")), "\uFFFD", "")
}

// stream measures the processor time and the latency of a live stream.
func stream(ctx context.Context, o options, r *report.Report, g *server, model string, clip benchkit.Clip) error {
	var rest, lag, interims, live, whole benchkit.Series
	file := clip.WAV()
	for range o.streams {
		var cpu [3]float64
		var got replayed
		for i, step := range []func() error{
			func() (err error) { got, err = g.replay(ctx, model, clip); return err },
			func() error { _, _, err := g.recognise(ctx, model, file, 1); return err },
			func() error { return nil },
		} {
			var err error
			if cpu[i], err = g.cpu(ctx, model); err != nil {
				return err
			}
			if err := step(); err != nil {
				return err
			}
		}
		rest.Add(got.rest.Seconds())
		lag.Add(got.lag.Seconds())
		interims.Add(float64(got.interims))
		live.Add((cpu[1] - cpu[0]) / clip.Seconds())
		whole.Add((cpu[2] - cpu[1]) / clip.Seconds())
	}
	what := fmt.Sprintf("stream of %g s, audio_ctx %s", clip.Seconds(), model)
	seconds := report.Unit{Name: "s", Better: report.Lower}
	r.Measure(what+": end of speech to final result", seconds, rest)
	r.Measure(what+": interim results behind by", seconds, lag)
	r.Measure(what+": interim results", report.Unit{Name: "number", Better: report.Higher}, interims)
	r.Compare(what, report.Unit{Name: "processor time / length of the audio", Better: report.Lower}, "as a recording", live, whole)
	return nil
}
