package settings

import (
	"errors"
	"path/filepath"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/engines/footprint"
	"github.com/lexilingo/modelgateway/engines/whisper/modelfile"
)

// What a whisper_state needs, as whisper.cpp 1.9 prints it for widths from 384 to
// 768: buffers grow with the width of the model.
const (
	convFixed, convPerWidth     = 4.0e6, 24_000
	encodeFixed, encodePerWidth = 1.6e6, 42_000
	crossFixed, crossPerWidth   = 1.6e6, 6_000
	decodePerWidth              = 4_500
	// headWidth is the width of an attention head in all published models.
	headWidth = 64
	// cachePadding is the multiple to which key and value caches are padded.
	cachePadding = 256
	cellBytes    = 2 // cells of the caches are 16-bit floats
	floatBytes   = 4 // computations are in 32-bit floats
	// spareCaches are kept beside those of the hypotheses.
	spareCaches = 2
	// specialTokens is the largest number of tokens before the text in a prompt.
	specialTokens = 5
	// decoderBytes is the memory of a hypothesis for each token of the vocabulary:
	// logits, probabilities and their order.
	decoderBytes = 20
	// vocabularyBytes is the memory of a token's text in its two maps.
	vocabularyBytes = 200
	// audioBytes is the largest memory of a second of a block: its samples, a
	// padded copy of them, and the spectrogram or the energy.
	audioBytes = 160_000
)

// EstimateMemory returns the bytes that the process of a model will need: the
// weights, and for each of the requests at the same time a whisper_state with its
// caches and buffers, and a block of audio. Errors are MODEL_FILE_MISSING and
// MODEL_FILE_INVALID.
func EstimateMemory(m footprint.Model) (int64, error) {
	if _, err := footprint.Size(m.Path); err != nil {
		return 0, err
	}
	h, err := modelfile.Read(m.Path)
	if errs.ReasonOf(err) == errs.ModelFileInvalid {
		return 0, errs.New(errs.ModelFileInvalid, "the model file %s is not a usable whisper file: %v",
			filepath.Base(m.Path), errors.Unwrap(err)).WithCause(err)
	}
	if err != nil {
		return 0, err
	}
	p, err := Read(m.Parameters)
	if err != nil {
		p = Defaults() // the load refuses such parameters
	}
	requests := float64(max(1, m.MaxConcurrency))
	audio := float64(p.BlockSeconds) * audioBytes
	vocabulary := float64(h.Vocabulary) * vocabularyBytes
	return footprint.ProcessBytes + h.Size + footprint.Bytes(vocabulary+requests*(stateBytes(h, p)+audio)), nil
}

// stateBytes returns the memory of a whisper_state during a transcription.
func stateBytes(h modelfile.Header, p Parameters) float64 {
	width, layers := float64(h.Width), float64(h.DecoderLayers)
	hypotheses := float64(min(max(p.BestOf, p.BeamSize), MaxDecoders))
	cell := 2 * width * cellBytes // a key and a value in one layer
	self := padded(h.TextContext()) * (hypotheses + spareCaches) * layers * cell
	cross := padded(h.AudioContext()) * layers * cell
	pad := padded(h.AudioContext()) * cell
	buffers := convFixed + encodeFixed + crossFixed + width*(convPerWidth+encodePerWidth+crossPerWidth+decodePerWidth)
	if !p.FlashAttention {
		// The scores of all heads, and half of that again.
		buffers += 1.5 * floatBytes * float64(h.AudioContext()) * padded(h.AudioContext()) * width / headWidth
	}
	// Logits are computed for each token of a prompt, and copied. whisper.cpp
	// takes half of the text context for the prompt.
	prompt := min(p.MaxTextContext, h.TextContext()/2) + specialTokens
	logits := 2 * float64(prompt) * float64(h.Vocabulary) * floatBytes
	decoders := hypotheses * float64(h.Vocabulary) * decoderBytes
	return self + cross + pad + buffers + logits + decoders
}

// padded rounds up to a multiple of cachePadding.
func padded(n int) float64 {
	return float64((n + cachePadding - 1) / cachePadding * cachePadding)
}
