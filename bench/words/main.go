// Command words measures the times of aligned words: how far they are from those that
// the voice itself gives, and how much processor time they take.
//
// A voice that outputs the durations of its phonemes speaks each text, and a copy of it
// without that output speaks it again, with align_words. The sound of both is the same.
// A voice without that output is only measured for its processor time.
//
// Usage: go run ./bench/words [flags]   (make bench ARGS=words prepares everything)
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/lexilingo/modelgateway/bench/internal/benchkit"
	"github.com/lexilingo/modelgateway/bench/internal/report"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/models/modelstest"
)

type options struct {
	voice, scorer, server string
	threads               int
	quick, verbose        bool
}

func main() {
	var o options
	flag.StringVar(&o.voice, "voice", "models/starter/voice.onnx", "Piper voice")
	flag.StringVar(&o.scorer, "scorer", "models/starter/pronunciation.onnx", "model of engine hubert")
	flag.StringVar(&o.server, "server", "bin/modelgateway", "the server program")
	flag.IntVar(&o.threads, "threads", 1, "inference threads of each model")
	flag.BoolVar(&o.quick, "quick", false, "two texts, to check that it works")
	flag.BoolVar(&o.verbose, "v", false, "show the differences of each word, and the server's log")
	flag.Parse()
	benchkit.Main("bench/words", func(ctx context.Context) error { return run(ctx, o) })
}

const config = `
models:
  voice: {engine: piper, path: %[1]q, threads: %[4]d}
  silent: {engine: piper, path: %[2]q, threads: %[4]d}
  scorer: {engine: hubert, path: %[3]q, threads: %[4]d}
tasks:
  synthesize: {primary: voice}
  pronunciation: {primary: scorer}
`

func run(ctx context.Context, o options) error {
	voice, err := filepath.Abs(o.voice)
	if err != nil {
		return err
	}
	scorer, err := filepath.Abs(o.scorer)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "bench-words-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	silent := filepath.Join(dir, "silent.onnx")
	own := true
	if err := modelstest.WithoutDurations(voice, silent); errors.Is(err, modelstest.ErrNoDurations) {
		own, silent = false, voice
	} else if err != nil {
		return err
	}
	log := io.Discard
	if o.verbose {
		log = os.Stderr
	}
	g, err := benchkit.StartServer(ctx, log, o.server, fmt.Sprintf(config, voice, silent, scorer, o.threads))
	if err != nil {
		return err
	}
	defer g.Stop()
	for _, model := range []string{"silent", "scorer"} {
		if err := g.Load(ctx, model); err != nil {
			return err
		}
	}
	r := report.New("words", "Times of aligned words", o.server)
	r.Setting("voice %s · model for pronunciation %s · %d threads", filepath.Base(voice), filepath.Base(scorer), o.threads)
	m := &measurement{client: gatewayv1.NewModelGatewayServiceClient(g.Conn), server: g, own: own, verbose: o.verbose}
	spoken := texts
	if o.quick {
		spoken = texts[:2]
	}
	if _, err := m.speak(ctx, "silent", texts[0]); err != nil { // the first run of a worker takes longer
		return err
	}
	for _, text := range spoken {
		if err := m.measure(ctx, text); err != nil {
			return fmt.Errorf("%q: %w", text, err)
		}
	}
	m.add(r)
	return r.Write()
}

// measurement has what was measured.
type measurement struct {
	client       gatewayv1.ModelGatewayServiceClient
	server       *benchkit.Server
	own, verbose bool

	words, without     int             // words that the voice gives times for, and those of them that were not aligned
	starts, ends       benchkit.Series // differences in ms
	voiceCPU, alignCPU float64         // seconds
	audio              time.Duration
}

// speech is what was said.
type speech struct {
	samples, rate int
	words         []*gatewayv1.SpokenWord
}

func (m *measurement) measure(ctx context.Context, text string) error {
	before, err := m.cpu(ctx)
	if err != nil {
		return err
	}
	aligned, err := m.speak(ctx, "silent", text)
	if err != nil {
		return err
	}
	after, err := m.cpu(ctx)
	if err != nil {
		return err
	}
	m.voiceCPU += after[0] - before[0]
	m.alignCPU += after[1] - before[1]
	m.audio += time.Duration(aligned.samples) * time.Second / time.Duration(aligned.rate)
	if !m.own {
		return nil
	}
	given, err := m.speak(ctx, "voice", text)
	if err != nil {
		return err
	}
	if given.samples != aligned.samples {
		return fmt.Errorf("the voice and its copy did not say the same: %d and %d samples", given.samples, aligned.samples)
	}
	m.compare(given.words, aligned.words)
	return nil
}

// compare adds the differences of words. Both are in the order of the text.
func (m *measurement) compare(given, aligned []*gatewayv1.SpokenWord) {
	next := 0
	for _, w := range given {
		m.words++
		at := next
		for at < len(aligned) && aligned[at].GetText() != w.GetText() {
			at++
		}
		if at == len(aligned) {
			m.without++
			continue
		}
		next = at + 1
		start := (aligned[at].GetStart().AsDuration() - w.GetStart().AsDuration()).Seconds() * 1000
		end := (aligned[at].GetEnd().AsDuration() - w.GetEnd().AsDuration()).Seconds() * 1000
		if m.verbose {
			fmt.Printf("%s: start %+.0f ms, end %+.0f ms\n", w.GetText(), start, end)
		}
		m.starts.Add(max(start, -start))
		m.ends.Add(max(end, -end))
	}
}

// cpu returns the processor time of the voice and of the alignment.
func (m *measurement) cpu(ctx context.Context) (times [2]float64, err error) {
	for i, name := range []string{"silent", "scorer"} {
		model, err := m.server.Model(ctx, name)
		if err != nil {
			return times, err
		}
		if times[i], err = benchkit.CPUSeconds(int(model.GetWorkerPid())); err != nil {
			return times, err
		}
	}
	return times, nil
}

// speak speaks a text, always in the same way.
func (m *measurement) speak(ctx context.Context, model, text string) (speech, error) {
	stream, err := m.client.Synthesize(ctx, &gatewayv1.SynthesizeRequest{
		Input: &gatewayv1.SynthesizeRequest_Text{Text: text}, Model: model, AlignWords: model == "silent", NoiseScale: new(float32), NoiseW: new(float32),
	})
	var s speech
	for err == nil {
		var piece *gatewayv1.SynthesizeResponse
		if piece, err = stream.Recv(); err != nil {
			break
		}
		s.rate = max(s.rate, int(piece.GetSampleRateHertz()))
		s.samples += len(piece.GetAudio()) / 2
		s.words = append(s.words, piece.GetWords()...)
		if w := piece.GetServedBy().GetWarning(); w != "" && len(s.words) == 0 {
			return s, errors.New(w)
		}
	}
	if !errors.Is(err, io.EOF) {
		return s, err
	}
	return s, nil
}

func (m *measurement) add(r *report.Report) {
	seconds := m.audio.Seconds()
	r.Side = "alignment"
	r.Setting("%.0f s of speech", seconds)
	if m.own {
		r.Setting("%d words, %d without times", m.words, m.without)
		unit := report.Unit{Name: "ms from the voice's own", Better: report.Lower}
		r.Measure("start of a word, median", unit, benchkit.Series{m.starts.Median()})
		r.Measure("start of a word, 95th percentile", unit, benchkit.Series{m.starts.Quantile(0.95)})
		r.Measure("end of a word, median", unit, benchkit.Series{m.ends.Median()})
		r.Measure("end of a word, 95th percentile", unit, benchkit.Series{m.ends.Quantile(0.95)})
	}
	r.Compare("alignment", report.Unit{Name: "processor time / length of the audio", Better: report.Lower}, "the voice itself",
		benchkit.Series{m.alignCPU / seconds}, benchkit.Series{m.voiceCPU / seconds})
}
