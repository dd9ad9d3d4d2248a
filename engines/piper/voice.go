package piper

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/engines/onnx"
	"github.com/lexilingo/modelgateway/engines/piper/voicefile"
)

// voice is a voice's graph, fed as piper1-gpl feeds it (src/piper/voice.py).
type voice struct {
	session *onnx.Session
	config  *voicefile.Config
	name    string
	// speaker tells that the graph takes a speaker's number.
	speaker bool
	// turn is held by the run under way. Each uses all threads, so that two at
	// once would end no sooner, but would take twice the memory.
	turn chan struct{}
	// output and durations are the names of the graph's outputs; voices that do
	// not tell the durations of their ids have none.
	output, durations string
}

// newVoice checks that a graph is a Piper voice's.
func newVoice(session *onnx.Session, config *voicefile.Config, name string) (*voice, error) {
	v := &voice{session: session, config: config, name: name, turn: make(chan struct{}, 1)}
	for _, input := range []struct {
		name     string
		kind     onnx.ElementType
		optional bool
	}{
		{"input", onnx.Int64, false}, {"input_lengths", onnx.Int64, false}, {"scales", onnx.Float32, false}, {"sid", onnx.Int64, true},
	} {
		i := slices.IndexFunc(session.Inputs(), func(info onnx.Info) bool { return info.Name == input.name })
		switch {
		case i < 0 && input.optional:
		case i < 0:
			return nil, v.invalid("it has no input %q, as a Piper voice has", input.name)
		case session.Inputs()[i].Type != input.kind:
			return nil, v.invalid("its input %q is %s, not %s as a Piper voice's",
				input.name, onnx.TypeName(session.Inputs()[i].Type), onnx.TypeName(input.kind))
		case input.name == "sid":
			v.speaker = true
		}
	}
	want := 3
	if v.speaker {
		want++
	}
	if len(session.Inputs()) != want {
		return nil, v.invalid("it has %d inputs; a Piper voice has input, input_lengths, scales, and sid if it has several speakers", len(session.Inputs()))
	}
	if config.Speakers > 1 && !v.speaker {
		return nil, v.invalid("its description tells of %d speakers, its graph takes none", config.Speakers)
	}
	for i, output := range session.Outputs() {
		switch {
		case i == 0 && output.Type != onnx.Float32:
			return nil, v.invalid("its output is %s, not %s as a Piper voice's", onnx.TypeName(output.Type), onnx.TypeName(onnx.Float32))
		case i == 0:
			v.output = output.Name
		case i == 1 && output.Type == onnx.Float32:
			v.durations = output.Name
		}
	}
	return v, nil
}

func (v *voice) invalid(format string, args ...any) *errs.Error {
	return errs.New(errs.ModelFileInvalid, "the voice %s cannot be used: %s", v.name, fmt.Sprintf(format, args...))
}

// try runs the voice once on the fewest ids, the largest among them: a graph that
// fits its description in name only fails here, not at a user's request.
func (v *voice) try(ctx context.Context) error {
	ids := v.config.IDs
	tried := slices.Concat(ids[voicefile.Begin], ids[voicefile.Pad], []int64{v.config.LargestID()}, ids[voicefile.Pad], ids[voicefile.End])
	_, err := v.speak(ctx, tried, options{
		speaker: int64(v.config.Speakers) - 1, length: float32(v.config.LengthScale),
	})
	if err != nil && ctx.Err() == nil {
		return v.invalid("its graph does not work with its description: %s", err).WithCause(err)
	}
	return err
}

// speech is the sound of some ids.
type speech struct {
	// samples are as the voice made them, about -1 to 1.
	samples []float32
	// durations are the samples of each id; nil if the voice does not tell.
	durations []int
}

// speak runs the graph, when the runs before it are done.
func (v *voice) speak(ctx context.Context, ids []int64, s options) (speech, error) {
	inputs := map[string]onnx.Tensor{
		"input":         onnx.Ints(ids, 1, int64(len(ids))),
		"input_lengths": onnx.Ints([]int64{int64(len(ids))}, 1),
		"scales":        onnx.Floats([]float32{s.noise, s.length, s.noW}, 3),
	}
	if v.speaker {
		inputs["sid"] = onnx.Ints([]int64{s.speaker}, 1)
	}
	select {
	case v.turn <- struct{}{}:
	case <-ctx.Done():
		return speech{}, ctx.Err()
	}
	outputs, err := v.session.Run(ctx, inputs)
	<-v.turn
	if err != nil {
		return speech{}, err
	}
	output := outputs[v.output]
	// The axes' names differ from export to export; time is the last, and the
	// others have length 1.
	if n := len(output.Shape); n == 0 || output.Shape[n-1] != int64(len(output.Float32)) {
		return speech{}, errors.New("its output is not the sound of one speaker")
	}
	return speech{samples: output.Float32, durations: v.samplesOf(outputs[v.durations].Float32, len(ids), len(output.Float32))}, nil
}

// samplesOf turns durations into samples; nil if they are not those of the ids
// (piper1-gpl, docs/ALIGNMENTS.md).
func (v *voice) samplesOf(durations []float32, ids, samples int) []int {
	if len(durations) != ids {
		return nil
	}
	out := make([]int, ids)
	sum := 0
	for i, d := range durations {
		// Compared before the conversion, for what no int can hold.
		n := d * float32(v.config.HopLength)
		if !(n >= 0 && n <= float32(samples)) {
			return nil
		}
		out[i] = int(n)
		sum += out[i]
	}
	if sum > samples+v.config.HopLength {
		return nil
	}
	return out
}
