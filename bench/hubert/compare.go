package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/lexilingo/modelgateway/bench/internal/benchkit"
	"github.com/lexilingo/modelgateway/bench/internal/report"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// bench has what all measurements need.
type bench struct {
	report   *report.Report
	client   gatewayv1.ModelGatewayServiceClient
	peer     *benchkit.Peer
	variants []variant
	dir      string
}

// reference is the text to score. How much of it is in a recording makes little
// difference to the work.
const reference = "And so my fellow Americans ask not what your country can do for you"

// compare measures a recording: each variant is a side, and so is its peer.
func (b bench) compare(ctx context.Context, rounds int, clip benchkit.Clip) error {
	raw := filepath.Join(b.dir, fmt.Sprintf("%g.f32", clip.Seconds()))
	var bytesOf bytes.Buffer
	if err := binary.Write(&bytesOf, binary.LittleEndian, []float32(normalised(clip))); err != nil {
		return err
	}
	if err := os.WriteFile(raw, bytesOf.Bytes(), 0o600); err != nil {
		return err
	}
	file := clip.WAV()
	took := make([]benchkit.Series, 2*len(b.variants))
	correlation := make([]*float64, len(b.variants))
	err := benchkit.Interleave(rounds, len(took), func(round, side int) error {
		var seconds float64
		var err error
		if v := side / 2; side%2 == 0 {
			seconds, err = b.ours(ctx, b.variants[v].name, file)
		} else {
			seconds, correlation[v], err = b.theirs(v, raw)
		}
		if round > 0 {
			took[side].Add(seconds / clip.Seconds())
		}
		return err
	})
	if err != nil {
		return err
	}
	for v, variant := range b.variants {
		what := fmt.Sprintf("recording of %g s, %s", clip.Seconds(), variant.name)
		b.report.Compare(what, report.Unit{Name: "time / length of the audio", Better: report.Lower}, "onnxruntime", took[2*v], took[2*v+1])
	}
	if len(b.variants) > 1 {
		fmt.Printf("recording %g s, int8/fp32: server %s onnxruntime %s", clip.Seconds(),
			benchkit.Ratios(took[2], took[0]).Format(), benchkit.Ratios(took[3], took[1]).Format())
		if c := correlation[1]; c != nil {
			fmt.Printf(" · correlation of logits %.4f", *c)
		}
		fmt.Println()
	}
	return nil
}

// ours returns the seconds that a request to the server takes.
func (b bench) ours(ctx context.Context, model string, file []byte) (float64, error) {
	start := time.Now()
	got, err := b.client.Pronunciation(ctx, &gatewayv1.PronunciationRequest{Model: model, Audio: file, ReferenceText: reference})
	if err == nil && len(got.GetWords()) == 0 {
		err = fmt.Errorf("the answer of model %s has no words", model)
	}
	return time.Since(start).Seconds(), err
}

// theirs returns the seconds that a run of the peer takes, and the correlation of
// its logits with those of the first variant.
func (b bench) theirs(variant int, file string) (float64, *float64, error) {
	var answer struct {
		Total       float64
		Correlation *float64
	}
	err := b.peer.Ask(map[string]any{"model": variant, "audio": file}, &answer)
	return answer.Total, answer.Correlation, err
}

// normalised returns a clip with mean 0 and variance 1, as the models expect.
func normalised(clip benchkit.Clip) benchkit.Clip {
	var sum, squares float64
	for _, x := range clip {
		sum += float64(x)
	}
	mean := sum / float64(len(clip))
	for _, x := range clip {
		squares += (float64(x) - mean) * (float64(x) - mean)
	}
	scale := 1 / math.Sqrt(squares/float64(len(clip))+1e-7)
	out := make(benchkit.Clip, len(clip))
	for i, x := range clip {
		out[i] = float32((float64(x) - mean) * scale)
	}
	return out
}
