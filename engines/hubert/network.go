package hubert

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/lexilingo/modelgateway/engines/audio"
	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/engines/hubert/settings"
	"github.com/lexilingo/modelgateway/engines/onnx"
)

const (
	// varianceFloor keeps silence from being divided by 0; it is the one that the
	// published models were trained with.
	varianceFloor = 1e-7

	// The lengths in samples of two runs at load, from which follows how many
	// samples a frame stands for. Their difference is divisible by all usual ones.
	probeShort = audio.SampleRate
	probeLong  = probeShort + 9600

	// A frame of any sane model is 2.5 to 100 ms.
	minStride = 40
	maxStride = 1600
)

// network is a CTC graph: audio in, logits of each frame out.
type network struct {
	session       *onnx.Session
	input, output string
	mask          *onnx.Info // of the attention mask; nil without
	normalize     bool

	outputs int // symbols of a frame
	stride  int // samples from one frame to the next
	least   int // samples that surely make a frame
	window  int // frames that are computed at once, at most
}

// newNetwork finds out how a graph is used, and tries it. A graph that is no CTC
// model of raw audio is MODEL_FILE_INVALID.
func newNetwork(ctx context.Context, session *onnx.Session, name string, windowSeconds float64) (*network, error) {
	invalid := func(err error) error {
		return errs.New(errs.ModelFileInvalid, "the model's file %s cannot be used: %v; use a CTC model as optimum exports it", name, err).
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

// inspect chooses inputs and outputs by what the graph says of them.
func (n *network) inspect() error {
	for _, in := range n.session.Inputs() {
		switch {
		case in.Name == "attention_mask" && (in.Type == onnx.Int64 || in.Type == onnx.Int32) && len(in.Shape) == 2:
			n.mask = &in
		case in.Type != onnx.Float32 || len(in.Shape) != 2:
			return fmt.Errorf("its input %q is %s of %d dimensions, not float32 [batch, samples]", in.Name, in.Type, len(in.Shape))
		case n.input != "":
			return fmt.Errorf("it has the inputs %q and %q, of which one must be the audio", n.input, in.Name)
		case in.Shape[0] > 1 || in.Shape[1] > 0:
			return fmt.Errorf("its input %q has the fixed shape %v, but clips are of any length", in.Name, in.Shape)
		default:
			n.input = in.Name
		}
	}
	if n.input == "" {
		return fmt.Errorf("it has no input for audio")
	}
	for _, out := range n.session.Outputs() {
		if out.Type == onnx.Float32 && len(out.Shape) == 3 && (n.output == "" || out.Name == "logits") {
			n.output = out.Name
		}
	}
	if n.output == "" {
		return fmt.Errorf("it has no output of the form float32 [batch, frames, symbols]")
	}
	return nil
}

// probe runs the graph on clips of two lengths.
func (n *network) probe(ctx context.Context) error {
	tone := make([]float32, probeLong)
	for i := range tone {
		tone[i] = float32(math.Sin(2 * math.Pi * 300 * float64(i) / audio.SampleRate))
	}
	_, short, err := n.run(ctx, tone[:probeShort])
	if err != nil {
		return err
	}
	logits, long, err := n.run(ctx, tone)
	if err != nil {
		return err
	}
	for _, x := range logits {
		if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
			return fmt.Errorf("it computes %v of a plain tone", x)
		}
	}
	more := long - short
	if more <= 0 || (probeLong-probeShort)%more != 0 {
		return fmt.Errorf("it makes %d frames of %d samples and %d of %d", short, probeShort, long, probeLong)
	}
	n.stride = (probeLong - probeShort) / more
	n.least = probeShort - (short-1)*n.stride
	if n.stride < minStride || n.stride > maxStride || n.least <= 0 {
		return fmt.Errorf("it makes %d frames of a second of audio", short)
	}
	return nil
}

// run computes the logits of samples, a row for each frame.
func (n *network) run(ctx context.Context, samples []float32) (logits []float32, frames int, err error) {
	size := int64(len(samples))
	inputs := map[string]onnx.Tensor{n.input: onnx.Floats(samples, 1, size)}
	if n.mask != nil {
		inputs[n.mask.Name] = ones(n.mask.Type, size)
	}
	results, err := n.session.Run(ctx, inputs)
	if err != nil {
		return nil, 0, err
	}
	out := results[n.output]
	if len(out.Shape) != 3 || out.Shape[0] != 1 || out.Shape[1] < 1 || out.Shape[2] < 1 || out.Shape[1] > size ||
		int64(len(out.Float32)) != out.Shape[1]*out.Shape[2] {
		return nil, 0, fmt.Errorf("it makes logits of the shape %v of %d samples", out.Shape, size)
	}
	if n.outputs == 0 {
		n.outputs = int(out.Shape[2])
	}
	if n.outputs != int(out.Shape[2]) {
		return nil, 0, fmt.Errorf("it makes %d symbols a frame, and then %d", n.outputs, out.Shape[2])
	}
	return out.Float32, int(out.Shape[1]), nil
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

// patience is how long a window of samples may compute before it no longer counts
// as alive: far longer than anybody waits for a large model on a small machine,
// and a minute for whatever else that is at.
func patience(samples int) time.Duration {
	return time.Minute + 30*time.Duration(samples)*time.Second/audio.SampleRate
}

// logits computes a whole clip: normalised as a whole, and in windows if it is
// longer than one. A window's outermost frames lack what is beside them, and are
// taken from its neighbours. watch is called before each window with its patience,
// and what it returns after it.
func (n *network) logits(ctx context.Context, samples []float32, watch func(time.Duration) (done func())) ([]float32, error) {
	samples = n.prepare(samples)
	margin := int(settings.ContextSeconds * audio.SampleRate / float64(n.stride))
	var all []float32
	for first := 0; ; first += n.window - 2*margin {
		begin, end := first*n.stride, min((first+n.window)*n.stride, len(samples))
		done := watch(patience(end - begin))
		logits, frames, err := n.run(ctx, samples[begin:end])
		done()
		if err != nil {
			return nil, err
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
			return nil, fmt.Errorf("it makes %d frames of %d samples", frames, end-begin)
		}
		all = append(all, logits[from*n.outputs:to*n.outputs]...)
		if end == len(samples) {
			return all, nil
		}
	}
}

// prepare normalises samples to mean 0 and variance 1, and fills a clip that is
// shorter than a frame up with silence.
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
