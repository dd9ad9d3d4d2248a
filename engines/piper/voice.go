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

// voice is the graph of a voice. Its inputs are those of piper1-gpl
// (src/piper/voice.py).
type voice struct {
	session *onnx.Session
	config  *voicefile.Config
	name    string
	// speaker reports whether the graph has an input for the speaker's number.
	speaker bool
	// sem allows one run at a time. A run uses all threads, so two at once would
	// not be faster but need twice the memory.
	sem chan struct{}
	// output and durations are the names of the graph's outputs. durations is ""
	// if the voice does not return the durations of its ids.
	output, durations string
}

// newVoice returns an error if the graph is not that of a Piper voice.
func newVoice(session *onnx.Session, config *voicefile.Config, name string) (*voice, error) {
	v := &voice{session: session, config: config, name: name, sem: make(chan struct{}, 1)}
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
			return nil, v.invalid("its graph has no input %q; it is not a Piper voice", input.name)
		case session.Inputs()[i].Type != input.kind:
			return nil, v.invalid("its input %q is %s, not %s; it is not a Piper voice",
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
		return nil, v.invalid("its graph has %d inputs; a Piper voice has input, input_lengths, scales, and sid if it has several speakers", len(session.Inputs()))
	}
	if config.Speakers > 1 && !v.speaker {
		return nil, v.invalid("its description has %d speakers, but its graph has no input \"sid\" for the speaker", config.Speakers)
	}
	for i, output := range session.Outputs() {
		switch {
		case i == 0 && output.Type != onnx.Float32:
			return nil, v.invalid("its output is %s, not %s; it is not a Piper voice", onnx.TypeName(output.Type), onnx.TypeName(onnx.Float32))
		case i == 0:
			v.output = output.Name
		case i == 1 && (output.Type == onnx.Float32 || output.Type == onnx.Undefined): // patch_voice_with_alignment states none
			v.durations = output.Name
		}
	}
	return v, nil
}

func (v *voice) invalid(format string, args ...any) *errs.Error {
	return errs.New(errs.ModelFileInvalid, "the voice %s cannot be used: %s", v.name, fmt.Sprintf(format, args...))
}

// selfTest runs the voice once on a few ids, including the largest, so that a graph
// that does not fit its description fails when it is loaded, not at the first
// request.
func (v *voice) selfTest(ctx context.Context) error {
	ids := v.config.IDs
	sample := slices.Concat(ids[voicefile.Begin], ids[voicefile.Pad], []int64{v.config.LargestID()}, ids[voicefile.Pad], ids[voicefile.End])
	_, err := v.speak(ctx, sample, options{
		speaker: int64(v.config.Speakers) - 1, length: float32(v.config.LengthScale),
	})
	if err != nil && ctx.Err() == nil {
		return v.invalid("its graph does not fit its description: %s", err).WithCause(err)
	}
	return err
}

// speech is the sound of a run.
type speech struct {
	// samples are the graph's output, about -1 to 1.
	samples []float32
	// durations are the number of samples of each id; nil if not known.
	durations []int
}

// speak runs the graph after the runs before it.
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
	case v.sem <- struct{}{}:
	case <-ctx.Done():
		return speech{}, ctx.Err()
	}
	outputs, err := v.session.Run(ctx, inputs)
	<-v.sem
	if err != nil {
		return speech{}, err
	}
	output := outputs[v.output]
	// The names of the axes differ between exports. The last axis is time, the
	// others have length 1.
	if n := len(output.Shape); n == 0 || output.Shape[n-1] != int64(len(output.Float32)) {
		return speech{}, errors.New("its output is not the sound of one speaker")
	}
	return speech{samples: output.Float32, durations: v.samplesOf(outputs[v.durations].Float32, len(ids), len(output.Float32))}, nil
}

// samplesOf converts durations to samples (docs/ALIGNMENTS.md of piper1-gpl). It
// returns nil if the durations do not fit the ids or the samples.
func (v *voice) samplesOf(durations []float32, ids, samples int) []int {
	if len(durations) != ids {
		return nil
	}
	out := make([]int, ids)
	sum := 0
	for i, d := range durations {
		// Checked before the conversion, because an int may not hold the value.
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
