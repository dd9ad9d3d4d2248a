package footprint

import (
	"os"
	"path/filepath"

	"github.com/lexilingo/modelgateway/engines/errs"
)

// The settings of engine-llama that change its memory, and what they are by
// default.
const (
	defaultContext = 8192
	defaultBatch   = 512
)

const (
	cellBytes  = 2 // KV cells are 16-bit floats
	floatBytes = 4 // computations are in 32-bit floats
	// Activations of one token that live at once, in widths of the model and of
	// its feed-forward layers.
	embeddingsAlive  = 8
	feedForwardAlive = 2
)

// gguf estimates a GGUF model from its header: the weights, the KV cells of the
// whole context, and the compute buffers of one batch, of which the logits are
// the largest. What the header does not tell, as of recurrent models, is taken
// as a share of the weights.
func gguf(src Source, size int64) (int64, error) {
	name := filepath.Base(src.Path)
	if info, err := os.Stat(src.Path); err == nil && info.IsDir() {
		files, _ := filepath.Glob(filepath.Join(src.Path, "*.gguf"))
		return 0, errs.New(errs.ModelFileInvalid, "the model's folder %s holds %d .gguf files; it must hold one, or the path must name one", name, len(files))
	}
	h, err := readHeader(src.Path)
	if err != nil {
		return 0, errs.New(errs.ModelFileInvalid, "the model's file %s is no usable GGUF file: %s; fetch it again", name, err).WithCause(err)
	}
	shape := shapeOf(h)
	kv, compute := shape.kvBytes(src), shape.computeBytes(src)
	if kv == 0 {
		return processBytes + int64(float64(size)*unknownFactor) + compute, nil
	}
	return processBytes + size + kv + compute, nil
}

// shape is the size of a transformer.
type shape struct {
	// cellWidth is the number of floats that one token keeps in all layers'
	// keys and values together; 0 if the header does not tell.
	cellWidth float64
	// trained is the longest context that the model was trained on.
	trained                            float64
	embedding, feedForward, vocabulary float64
}

func shapeOf(h *header) shape {
	architecture := h.architecture
	get := func(key string) float64 { return h.numbers[architecture+"."+key] }
	s := shape{
		trained:     get("context_length"),
		embedding:   get("embedding_length"),
		feedForward: max(get("feed_forward_length"), h.sums[architecture+".feed_forward_length"]),
		vocabulary:  max(get("vocab_size"), float64(h.lengths[keyTokens])),
	}
	heads := get("attention.head_count")
	var headWidth float64
	if heads > 0 {
		headWidth = s.embedding / heads
	}
	key, value := get("attention.key_length"), get("attention.value_length")
	if key == 0 {
		key = headWidth
	}
	if value == 0 {
		value = headWidth
	}
	// Heads that keep cells, over all layers: one number, or one per layer.
	kvHeads := h.sums[architecture+".attention.head_count_kv"]
	if kvHeads == 0 {
		perLayer := get("attention.head_count_kv")
		if perLayer == 0 {
			perLayer = heads
		}
		kvHeads = perLayer * get("block_count")
	}
	s.cellWidth = kvHeads * (key + value)
	return s
}

func (s shape) kvBytes(src Source) int64 {
	context := number(src, "n_ctx", defaultContext)
	if s.trained > 0 {
		context = min(context, s.trained)
	}
	return bytes(context * s.cellWidth * cellBytes)
}

func (s shape) computeBytes(src Source) int64 {
	perToken := s.vocabulary + embeddingsAlive*s.embedding + feedForwardAlive*s.feedForward
	return bytes(number(src, "n_ubatch", defaultBatch) * perToken * floatBytes)
}

// bytes bounds what a broken header may claim: nothing that large fits anyway.
func bytes(n float64) int64 {
	const most = 1 << 50
	return int64(min(n, most))
}

// number reads a positive setting.
func number(src Source, key string, otherwise float64) float64 {
	if v := src.Parameters.GetFields()[key].GetNumberValue(); v >= 1 {
		return v
	}
	return otherwise
}
