// Command piper measures text to speech against PyPI's piper-tts on the same voice,
// texts and threads, in interleaved rounds: time over the length of the sound, and
// time to the first sound.
//
// Ours is measured by a client of the running gateway, the peer inside its own
// process, so that neither Python's start nor the way of its sound counts.
//
// Usage: go run ./bench/piper -model VOICE.onnx -python PYTHON [flags]   (make bench builds what it needs)
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
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

type options struct {
	model, gateway, python, peer string
	threads, rounds              int
	quick, verbose               bool
}

func main() {
	var o options
	flag.StringVar(&o.model, "model", "", "Piper voice (bench/make_speech.py makes one)")
	flag.StringVar(&o.gateway, "gateway", "bin/modelgateway", "the gateway's program")
	flag.StringVar(&o.python, "python", os.Getenv("MG_PYTHON"), "a Python with piper-tts")
	flag.StringVar(&o.peer, "peer", "bench/peer.py", "the program that runs piper-tts")
	flag.IntVar(&o.threads, "threads", 2, "inference threads")
	flag.IntVar(&o.rounds, "rounds", 5, "rounds")
	flag.BoolVar(&o.quick, "quick", false, "one round with the starter voice, to see that it works")
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
	// sameIDs tells that the engine says it in the same runs as piper-tts, whose
	// sound is as long then.
	sameIDs bool
}

// texts have sentences of 5, 20, 3 × 20 and 60 words. The last is longer than one
// run of the engine, which cuts it; piper-tts does not. No word ends with the vowel
// that the next begins with: piper-tts's newer espeak-ng has one more phoneme there.
func texts() []text {
	const twenty = "The tall teacher walked slowly down the river and told the children about ships that once carried grain and wood"
	return []text{
		{"5 words", "The cat sat down today.", true},
		{"20 words", twenty + ".", true},
		{"60 words, 3 sentences", strings.Repeat(twenty+". ", 3), true},
		{"60 words, 1 sentence", twenty + ", " + twenty + ", " + twenty + ".", false},
	}
}

const gatewayConfig = `
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
		return errors.New("name a voice with -model and a Python with -python")
	}
	model, err := filepath.Abs(o.model)
	if err != nil {
		return err
	}
	log := io.Discard
	if o.verbose {
		log = os.Stderr
	}
	g, err := benchkit.StartGateway(ctx, log, o.gateway, fmt.Sprintf(gatewayConfig, model, o.threads))
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
	fmt.Println(benchkit.Machine())
	fmt.Printf("voice %s · %d threads · %d rounds · peer %s\n", benchkit.FileSize(model), o.threads, o.rounds, versions)
	client := gatewayv1.NewModelGatewayServiceClient(g.Conn)
	for _, t := range texts() {
		if err := t.compare(ctx, o.rounds, client, p); err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
	}
	return nil
}

// spoken is what a text took.
type spoken struct {
	First   float64 // seconds to the first sound
	Total   float64 // seconds
	Samples int
	Rate    int // hertz
}

func (s spoken) seconds() float64 { return float64(s.Samples) / float64(s.Rate) }

// mostDifference is how much longer one side's sound may be where runs differ: each
// begins and ends with ids of its own.
const mostDifference = 0.05

func (t text) compare(ctx context.Context, rounds int, client gatewayv1.ModelGatewayServiceClient, p *benchkit.Peer) error {
	var first, factor [2]benchkit.Series
	var said [2]spoken
	err := benchkit.Interleave(rounds, 2, func(round, side int) error {
		var err error
		if side == 0 {
			said[0], err = synthesize(ctx, client, t.words)
		} else {
			err = p.Ask(map[string]string{"text": t.words}, &said[1])
		}
		if err != nil || round == 0 {
			return err
		}
		first[side].Add(1000 * said[side].First)
		factor[side].Add(said[side].Total / said[side].seconds())
		return nil
	})
	if err != nil {
		return err
	}
	difference := math.Abs(said[0].seconds()/said[1].seconds() - 1)
	if t.sameIDs && said[0].Samples != said[1].Samples || difference > mostDifference {
		return fmt.Errorf("the sides did not do the same work: %.3f s of sound here, %.3f s from piper-tts", said[0].seconds(), said[1].seconds())
	}
	fmt.Println(benchkit.Row(t.name+": first sound ms", "piper-tts", first[0], first[1]))
	fmt.Println(benchkit.Row(fmt.Sprintf("  %.1f s of sound: time/sound", said[0].seconds()), "piper-tts", factor[0], factor[1]))
	return nil
}

// synthesize speaks a text without silence between sentences, as piper-tts does, and
// without chance in the lengths of phonemes: the sound is as long on both sides.
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
		return spoken{}, errors.New("there was no sound")
	}
	return s, nil
}
