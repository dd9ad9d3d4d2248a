package settings

import (
	"cmp"
	"os"
	"path/filepath"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/engines/footprint"
	"github.com/lexilingo/modelgateway/engines/llama/gguffile"
)

const (
	cellBytes  = 2 // KV cells are 16-bit floats
	floatBytes = 4 // computations are in 32-bit floats
	// Activations of one token that are in memory at the same time, in widths of
	// the model and of its feed-forward layers.
	embeddingsAlive  = 8
	feedForwardAlive = 2
)

// EstimateMemory returns the bytes that the process of a model will need: the
// weights, the KV cells of the whole context, and the compute buffers of one
// micro-batch, of which the logits are the largest. If the header does not state
// the size of the KV cells, as in recurrent models, the estimate of the weights is
// raised instead. Errors are MODEL_FILE_MISSING and MODEL_FILE_INVALID.
//
// The device is not known before the load, so the larger of the default
// micro-batches counts.
func EstimateMemory(m footprint.Model) (int64, error) {
	size, err := footprint.Size(m.Path)
	if err != nil {
		return 0, err
	}
	name := filepath.Base(m.Path)
	if info, err := os.Stat(m.Path); err == nil && info.IsDir() {
		return 0, errs.New(errs.ModelFileInvalid, "the model folder %s has %d .gguf files; leave one there, or set the path to one of them",
			name, len(gguffile.InFolder(m.Path)))
	}
	h, err := gguffile.Read(m.Path)
	if err != nil {
		return 0, errs.New(errs.ModelFileInvalid, "the model file %s is not a usable GGUF file: %v; fetch it again", name, err).WithCause(err)
	}
	p, err := Read(m.Parameters, m.MaxConcurrency)
	if err != nil {
		p = Defaults() // the load refuses such parameters
	}
	s := shapeOf(h)
	kv, compute := s.kvBytes(p), s.computeBytes(p)
	if kv == 0 {
		return footprint.ProcessBytes + int64(float64(size)*footprint.GenericFactor) + compute, nil
	}
	return footprint.ProcessBytes + size + kv + compute, nil
}

// shape has the dimensions of a transformer. Most are floats, which do not
// overflow when a header states absurd numbers.
type shape struct {
	// cellWidth is the number of floats that one token occupies in the keys and
	// values of all layers together; 0 if the header does not tell.
	cellWidth float64
	// trained is the longest context that the model was trained on; 0 if the
	// header does not tell.
	trained                            int
	embedding, feedForward, vocabulary float64
}

func shapeOf(h *gguffile.Header) shape {
	s := shape{
		trained:     int(footprint.Bytes(h.Number("context_length"))),
		embedding:   h.Number("embedding_length"),
		feedForward: max(h.Number("feed_forward_length"), h.Sum("feed_forward_length")),
		vocabulary:  h.Vocabulary(),
	}
	heads := h.Number("attention.head_count")
	var headWidth float64
	if heads > 0 {
		headWidth = s.embedding / heads
	}
	key := cmp.Or(h.Number("attention.key_length"), headWidth)
	value := cmp.Or(h.Number("attention.value_length"), headWidth)
	// The heads that keep cells, over all layers: the header has one number for
	// each layer, or one for all.
	kvHeads := h.Sum("attention.head_count_kv")
	if kvHeads == 0 {
		kvHeads = cmp.Or(h.Number("attention.head_count_kv"), heads) * h.Number("block_count")
	}
	s.cellWidth = kvHeads * (key + value)
	return s
}

func (s shape) kvBytes(p Parameters) int64 {
	return footprint.Bytes(float64(p.ContextTokens(s.trained)) * s.cellWidth * cellBytes)
}

func (s shape) computeBytes(p Parameters) int64 {
	perToken := s.vocabulary + embeddingsAlive*s.embedding + feedForwardAlive*s.feedForward
	return footprint.Bytes(float64(p.MicroBatchOn(true)) * perToken * floatBytes)
}
