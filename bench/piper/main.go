// Command piper compares text to speech with piper-tts from PyPI for the same
// voice, texts and threads, in interleaved rounds: time relative to the length
// of the audio, and time to the first audio.
//
// The server is measured by a client. The peer measures inside its own process,
// so that neither the start of Python nor the transport of audio counts.
//
// Usage: go run ./bench/piper -model VOICE.onnx -python PYTHON [flags]   (make bench prepares everything)
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/lexilingo/modelgateway/bench/internal/benchkit"
	"github.com/lexilingo/modelgateway/bench/internal/report"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

type options struct {
	model, server, python, peer string
	threads, rounds             int
	quick, verbose              bool
}

func main() {
	var o options
	flag.StringVar(&o.model, "model", "", "Piper voice (bench/make_speech.py creates one)")
	flag.StringVar(&o.server, "server", "bin/modelgateway", "the server program")
	flag.StringVar(&o.python, "python", os.Getenv("MG_PYTHON"), "a Python with piper-tts")
	flag.StringVar(&o.peer, "peer", "bench/peer.py", "the script that runs piper-tts")
	flag.IntVar(&o.threads, "threads", 2, "inference threads")
	flag.IntVar(&o.rounds, "rounds", 5, "rounds")
	flag.BoolVar(&o.quick, "quick", false, "one round with the starter voice, to check that it works")
	flag.BoolVar(&o.verbose, "v", false, "show the programs' output")
	flag.Parse()
	if o.quick {
		o.model, o.rounds = "models/starter/voice.onnx", 1
	}
	benchkit.Main("bench/piper", func(ctx context.Context) error { return run(ctx, o) })
}

// text is something to say.
type text struct {
	name, words string
	// sameIDs reports whether the engine and piper-tts split the text in the same
	// way. The audio then has the same length.
	sameIDs bool
}

// texts returns sentences of 5, 20, 3 × 20 and 60 words. The last one is too long
// for one run of the engine, which splits it; piper-tts does not. No word ends
// with the vowel that the next begins with, because the newer espeak-ng of
// piper-tts has an additional phoneme there.
func texts() []text {
	const twenty = "The tall teacher walked slowly down the river and told the children about ships that once carried grain and wood"
	return []text{
		{"5 words", "The cat sat down today.", true},
		{"20 words", twenty + ".", true},
		{"60 words, 3 sentences", strings.Repeat(twenty+". ", 3), true},
		{"60 words, 1 sentence", twenty + ", " + twenty + ", " + twenty + ".", false},
	}
}

const serverConfig = `
models:
  voice:
    engine: piper
    path: %q
    threads: %d
tasks:
  synthesize: {primary: voice}
`

func run(ctx context.Context, o options) error {
	if o.model == "" || o.python == "" {
		return errors.New("give a voice with -model and a Python with -python")
	}
	model, err := filepath.Abs(o.model)
	if err != nil {
		return err
	}
	log := io.Discard
	if o.verbose {
		log = os.Stderr
	}
	g, err := benchkit.StartServer(ctx, log, o.server, fmt.Sprintf(serverConfig, model, o.threads))
	if err != nil {
		return err
	}
	defer g.Stop()
	if err := g.Load(ctx, "voice"); err != nil {
		return err
	}
	p, err := benchkit.StartPeer(log, o.python, o.peer, "piper", model, strconv.Itoa(o.threads))
	if err != nil {
		return err
	}
	defer p.Stop()
	versions, err := p.Versions()
	if err != nil {
		return err
	}
	voice, err := g.Model(ctx, "voice")
	if err != nil {
		return err
	}
	r := report.New("piper", "Text to speech", o.server)
	r.Version(versions)
	r.Setting("voice %s · %d threads · %d rounds", benchkit.FileSize(model), o.threads, o.rounds)
	b := bench{report: r, client: gatewayv1.NewModelGatewayServiceClient(g.Conn), peer: p, rounds: o.rounds,
		pids: [2]int{int(voice.GetWorkerPid()), p.PID()}}
	for _, t := range texts() {
		if err := b.compare(ctx, t); err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
	}
	return r.Write()
}

// bench has what the measurements of all texts need.
type bench struct {
	report *report.Report
	client gatewayv1.ModelGatewayServiceClient
	peer   *benchkit.Peer
	rounds int
	pids   [2]int // of the processes that run the voice
}

// spoken has the measurements of a text.
type spoken struct {
	First   float64 // seconds to the first audio
	Total   float64 // seconds
	Samples int
	Rate    int // hertz
}

func (s spoken) seconds() float64 { return float64(s.Samples) / float64(s.Rate) }

// leastForCPU is the length of audio in seconds below which the kernel's clock of
// processor time, which counts in steps of 10 ms, is too coarse.
const leastForCPU = 5

// mostDifference is how much longer the audio of one side may be if the text is
// split differently: each run has additional ids at its ends.
const mostDifference = 0.05

func (b bench) compare(ctx context.Context, t text) error {
	var first, factor, worked [2]benchkit.Series
	var said [2]spoken
	err := benchkit.Interleave(b.rounds, 2, func(round, side int) error {
		before, err := benchkit.CPUSeconds(b.pids[side])
		if err != nil {
			return err
		}
		if side == 0 {
			said[0], err = synthesize(ctx, b.client, t.words)
		} else {
			err = b.peer.Ask(map[string]string{"text": t.words}, &said[1])
		}
		if err != nil || round == 0 {
			return err
		}
		after, err := benchkit.CPUSeconds(b.pids[side])
		if err != nil {
			return err
		}
		first[side].Add(1000 * said[side].First)
		factor[side].Add(said[side].Total / said[side].seconds())
		worked[side].Add((after - before) / said[side].seconds())
		return nil
	})
	if err != nil {
		return err
	}
	difference := math.Abs(said[0].seconds()/said[1].seconds() - 1)
	if t.sameIDs && said[0].Samples != said[1].Samples || difference > mostDifference {
		return fmt.Errorf("the sides did not do the same work: the server produced %.3f s of audio, piper-tts %.3f s", said[0].seconds(), said[1].seconds())
	}
	const peer = "piper-tts"
	b.report.Compare(t.name, report.Unit{Name: "first audio after ms", Better: report.Lower}, peer, first[0], first[1])
	whole := fmt.Sprintf("%s, %.1f s of audio", t.name, said[0].seconds())
	b.report.Compare(whole, report.Unit{Name: "time / length of the audio", Better: report.Lower}, peer, factor[0], factor[1])
	if said[0].seconds() < leastForCPU {
		return nil
	}
	b.report.Compare(whole, report.Unit{Name: "processor time / length of the audio", Better: report.Lower}, peer, worked[0], worked[1])
	return nil
}

// synthesize speaks a text without silence between sentences, like piper-tts, and
// without random phoneme lengths, so that the audio of both sides has the same
// length.
func synthesize(ctx context.Context, client gatewayv1.ModelGatewayServiceClient, words string) (spoken, error) {
	start := time.Now()
	stream, err := client.Synthesize(ctx, &gatewayv1.SynthesizeRequest{
		Input: &gatewayv1.SynthesizeRequest_Text{Text: words}, SentenceSilence: durationpb.New(0), NoiseW: new(float32),
	})
	if err != nil {
		return spoken{}, err
	}
	var s spoken
	for {
		got, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return spoken{}, err
		}
		if s.Rate == 0 {
			s.Rate = int(got.GetSampleRateHertz())
		}
		if s.Samples += len(got.GetAudio()) / 2; s.Samples > 0 && s.First == 0 {
			s.First = time.Since(start).Seconds()
		}
	}
	s.Total = time.Since(start).Seconds()
	if s.Samples == 0 || s.Rate == 0 {
		return spoken{}, errors.New("the answer has no audio")
	}
	return s, nil
}
