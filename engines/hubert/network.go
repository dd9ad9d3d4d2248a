package hubert

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/lexilingo/modelgateway/engines/audio"
	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/engines/hubert/scoring"
	"github.com/lexilingo/modelgateway/engines/hubert/settings"
	"github.com/lexilingo/modelgateway/engines/onnx"
)

// ratingsOutput is the name of an optional output of a graph: float32
// [batch, frames, symbols + 1], how well each symbol was said, and the fluency. See
// scoring.Outputs.
const ratingsOutput = "ratings"

const (
	// varianceFloor avoids a division by 0 for silence. The published models were
	// trained with this value.
	varianceFloor = 1e-7

	// The lengths in samples of two runs at load, which show the number of samples
	// per frame. Their difference is divisible by all usual numbers.
	probeShort = audio.SampleRate
	probeLong  = probeShort + 9600

	// The frames of a valid model are 2.5 to 100 ms long.
	minStride = 40
	maxStride = 1600
)

// network is a CTC graph: its input is audio, its output the logits of each frame.
type network struct {
	session       *onnx.Session
	input, output string
	ratings       string     // the output of ratings; empty if there is none
	mask          *onnx.Info // the attention mask; nil if there is none
	normalize     bool

	outputs int // number of symbols
	stride  int // number of samples from one frame to the next
	least   int // number of samples that give at least one frame
	window  int // largest number of frames in one run
}

// newNetwork finds the inputs and outputs of a graph and runs it as a test. A graph
// that is not a CTC model of raw audio is MODEL_FILE_INVALID.
func newNetwork(ctx context.Context, session *onnx.Session, name string, windowSeconds float64) (*network, error) {
	invalid := func(err error) error {
		return errs.New(errs.ModelFileInvalid, "the model file %s cannot be used: %v; use a CTC model that was exported by optimum", name, err).
			With("path", name).WithCause(err)
	}
	n := &network{session: session, normalize: true}
	if err := n.inspect(); err != nil {
		return nil, invalid(err)
	}
	if err := n.probe(ctx); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, invalid(err)
	}
	n.window = int(windowSeconds * audio.SampleRate / float64(n.stride))
	return n, nil
}

// inspect finds the inputs and outputs by their names, types and shapes.
func (n *network) inspect() error {
	for _, in := range n.session.Inputs() {
		switch {
		case in.Name == "attention_mask" && (in.Type == onnx.Int64 || in.Type == onnx.Int32) && len(in.Shape) == 2:
			n.mask = &in
		case in.Type != onnx.Float32 || len(in.Shape) != 2:
			return fmt.Errorf("its input %q is %s with %d dimensions, not float32 [batch, samples]", in.Name, in.Type, len(in.Shape))
		case n.input != "":
			return fmt.Errorf("it has the inputs %q and %q; only one input, the audio, is supported", n.input, in.Name)
		case in.Shape[0] > 1 || in.Shape[1] > 0:
			return fmt.Errorf("its input %q has the fixed shape %v, but clips have any length", in.Name, in.Shape)
		default:
			n.input = in.Name
		}
	}
	if n.input == "" {
		return fmt.Errorf("it has no input for audio")
	}
	for _, out := range n.session.Outputs() {
		switch {
		case out.Type != onnx.Float32 || len(out.Shape) != 3:
		case out.Name == ratingsOutput:
			n.ratings = out.Name
		case n.output == "" || out.Name == "logits":
			n.output = out.Name
		}
	}
	if n.output == "" {
		return fmt.Errorf("it has no output float32 [batch, frames, symbols]")
	}
	return nil
}

// probe runs the graph on clips of two lengths, to find the length of a frame.
func (n *network) probe(ctx context.Context) error {
	tone := make([]float32, probeLong)
	for i := range tone {
		tone[i] = float32(math.Sin(2 * math.Pi * 300 * float64(i) / audio.SampleRate))
	}
	_, short, err := n.run(ctx, tone[:probeShort])
	if err != nil {
		return err
	}
	out, long, err := n.run(ctx, tone)
	if err != nil {
		return err
	}
	for _, x := range slices.Concat(out.Logits, out.Ratings) {
		if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
			return fmt.Errorf("its output for a plain tone has the value %v", x)
		}
	}
	more := long - short
	if more <= 0 || (probeLong-probeShort)%more != 0 {
		return fmt.Errorf("its output has %d frames for %d samples and %d for %d", short, probeShort, long, probeLong)
	}
	n.stride = (probeLong - probeShort) / more
	n.least = probeShort - (short-1)*n.stride
	if n.stride < minStride || n.stride > maxStride || n.least <= 0 {
		return fmt.Errorf("its output has %d frames for a second of audio", short)
	}
	return nil
}

// run computes the outputs for samples, one row for each frame.
func (n *network) run(ctx context.Context, samples []float32) (out scoring.Outputs, frames int, err error) {
	size := int64(len(samples))
	inputs := map[string]onnx.Tensor{n.input: onnx.Floats(samples, 1, size)}
	if n.mask != nil {
		inputs[n.mask.Name] = ones(n.mask.Type, size)
	}
	results, err := n.session.Run(ctx, inputs)
	if err != nil {
		return out, 0, err
	}
	logits := results[n.output]
	if len(logits.Shape) != 3 || logits.Shape[0] != 1 || logits.Shape[1] < 1 || logits.Shape[2] < 1 || logits.Shape[1] > size ||
		int64(len(logits.Float32)) != logits.Shape[1]*logits.Shape[2] {
		return out, 0, fmt.Errorf("its output has the shape %v for %d samples", logits.Shape, size)
	}
	if n.outputs == 0 {
		n.outputs = int(logits.Shape[2])
	}
	if n.outputs != int(logits.Shape[2]) {
		return out, 0, fmt.Errorf("its output has %d symbols in one run and %d in another", n.outputs, logits.Shape[2])
	}
	out = scoring.Outputs{Logits: logits.Float32, Symbols: n.outputs}
	if n.ratings != "" {
		ratings := results[n.ratings]
		if want := []int64{1, logits.Shape[1], logits.Shape[2] + 1}; !slices.Equal(ratings.Shape, want) || int64(len(ratings.Float32)) != want[1]*want[2] {
			return out, 0, fmt.Errorf("its output %q has the shape %v, not %v", n.ratings, ratings.Shape, want)
		}
		out.Ratings = ratings.Float32
	}
	return out, int(logits.Shape[1]), nil
}

func ones(kind onnx.ElementType, size int64) onnx.Tensor {
	if kind == onnx.Int32 {
		t := onnx.Tensor{Shape: []int64{1, size}, Int32: make([]int32, size)}
		for i := range t.Int32 {
			t.Int32[i] = 1
		}
		return t
	}
	mask := make([]int64, size)
	for i := range mask {
		mask[i] = 1
	}
	return onnx.Ints(mask, 1, size)
}

// runTimeout is the time after which the run of a window no longer counts as
// progress: far more than a large model needs on a small machine, and a minute for
// other load of the machine.
func runTimeout(samples int) time.Duration {
	return time.Minute + 30*time.Duration(samples)*time.Second/audio.SampleRate
}

// outputsOf computes the outputs for a clip. The clip is normalised as a whole, and
// computed in windows if it is longer than one. The outermost frames of a window
// have no context on one side, so they are taken from its neighbour. watch is called
// before each window with its runTimeout, and the function it returns after it.
func (n *network) outputsOf(ctx context.Context, samples []float32, watch func(time.Duration) (done func())) (scoring.Outputs, error) {
	samples = n.prepare(samples)
	margin := int(settings.ContextSeconds * audio.SampleRate / float64(n.stride))
	all := scoring.Outputs{Symbols: n.outputs}
	for first := 0; ; first += n.window - 2*margin {
		begin, end := first*n.stride, min((first+n.window)*n.stride, len(samples))
		done := watch(runTimeout(end - begin))
		out, frames, err := n.run(ctx, samples[begin:end])
		done()
		if err != nil {
			return all, err
		}
		onnx.Trim()
		from, to := margin, n.window-margin
		if first == 0 {
			from = 0
		}
		if end == len(samples) {
			to = frames
		}
		if from > to || to > frames {
			return all, fmt.Errorf("its output has %d frames for %d samples", frames, end-begin)
		}
		all.Append(out, from, to)
		if end == len(samples) {
			return all, nil
		}
	}
}

// prepare normalises samples to mean 0 and variance 1, and extends a clip that is
// shorter than a frame with silence.
func (n *network) prepare(samples []float32) []float32 {
	out := make([]float32, max(len(samples), n.least))
	copy(out, samples)
	if !n.normalize || len(samples) == 0 {
		return out
	}
	var sum, squares float64
	for _, x := range samples {
		sum += float64(x)
	}
	mean := sum / float64(len(samples))
	for _, x := range samples {
		squares += (float64(x) - mean) * (float64(x) - mean)
	}
	scale := 1 / math.Sqrt(squares/float64(len(samples))+varianceFloor)
	for i, x := range samples {
		out[i] = float32((float64(x) - mean) * scale)
	}
	return out
}
