package footprint

import (
	"errors"
	"path/filepath"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/engines/whisper/modelfile"
)

// The settings of engine-whisper that change its memory, and what they are by
// default.
const (
	defaultBestOf       = 5
	defaultBlockSeconds = 300
	// mostHypotheses is what whisper.cpp keeps, whatever is set.
	mostHypotheses = 8
)

// What a whisper_state takes, as whisper.cpp 1.9 prints it for widths from 384 to
// 768: buffers grow with the width of the model.
const (
	convFixed, convPerWidth     = 4.0e6, 24_000
	encodeFixed, encodePerWidth = 1.6e6, 42_000
	crossFixed, crossPerWidth   = 1.6e6, 6_000
	decodePerWidth              = 4_500
	// headWidth is the width of an attention head in all published models.
	headWidth = 64
	// padding of key and value caches.
	cachePadding = 256
	// spareCaches are kept beside those of the hypotheses.
	spareCaches = 2
	// specialTokens stand before the text in a prompt, at most.
	specialTokens = 5
	// decoderBytes is what each token of the vocabulary costs a hypothesis:
	// logits, probabilities and their order.
	decoderBytes = 20
	// vocabularyBytes is what a token's text costs in the two maps of it.
	vocabularyBytes = 200
	// audioBytes is what a second of a block costs at most: its samples, a
	// padded copy of them, and the spectrogram or the energy.
	audioBytes = 160_000
)

// whisper estimates a whisper model from its header: the weights, and for each of
// the calls at once a state with its caches and buffers, and a block of audio.
func whisper(src Source) (int64, error) {
	h, err := modelfile.Read(src.Path)
	if errs.ReasonOf(err) == errs.ModelFileInvalid {
		return 0, errs.New(errs.ModelFileInvalid, "the model's file %s is no usable whisper file: %v",
			filepath.Base(src.Path), errors.Unwrap(err)).WithCause(err)
	}
	if err != nil {
		return 0, err
	}
	streams := float64(max(1, src.MaxConcurrency))
	audio := number(src, "block_seconds", defaultBlockSeconds) * audioBytes
	vocabulary := float64(h.Vocabulary) * vocabularyBytes
	return processBytes + h.Size + bytes(vocabulary+streams*(stateBytes(h, src)+audio)), nil
}

// stateBytes is the memory of one whisper_state at work.
func stateBytes(h modelfile.Header, src Source) float64 {
	width, layers := float64(h.Width), float64(h.DecoderLayers)
	hypotheses := min(max(number(src, "best_of", defaultBestOf), number(src, "beam_size", 1)), mostHypotheses)
	cell := 2 * width * cellBytes // a key and a value in one layer
	self := padded(h.TextContext()) * (hypotheses + spareCaches) * layers * cell
	cross := padded(h.AudioContext()) * layers * cell
	pad := padded(h.AudioContext()) * cell
	buffers := convFixed + encodeFixed + crossFixed + width*(convPerWidth+encodePerWidth+crossPerWidth+decodePerWidth)
	if v, ok := src.Parameters.GetFields()["flash_attn"]; ok && !v.GetBoolValue() {
		// The scores of all heads at once, and half of them again.
		buffers += 1.5 * floatBytes * float64(h.AudioContext()) * padded(h.AudioContext()) * width / headWidth
	}
	// Logits are computed for each token of a prompt, and copied.
	prompt := min(number(src, "n_max_text_ctx", float64(h.TextContext()/2)), float64(h.TextContext()/2)) + specialTokens
	logits := 2 * prompt * float64(h.Vocabulary) * floatBytes
	decoders := hypotheses * float64(h.Vocabulary) * decoderBytes
	return self + cross + pad + buffers + logits + decoders
}

func padded(n int) float64 {
	return float64((n + cachePadding - 1) / cachePadding * cachePadding)
}
