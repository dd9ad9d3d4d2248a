package footprint

import (
	"io/fs"
	"math"
	"path/filepath"
	"strings"
)

// The settings of engine-hubert that change its memory, and what they are by
// default.
const (
	defaultWindowSeconds = 20
	defaultClipSeconds   = 60
)

const (
	// weightsFactor covers what ONNX Runtime keeps beside the weights: 1.06 for
	// HuBERT-large in 32-bit floats, 1.2 in 8 bits, of which the file is a third.
	weightsFactor = 1.1

	// A window's activations: most are the feature extractor's, whose width is the
	// same in base and large models. Measured on HuBERT-large in ONNX Runtime
	// 1.23: 250 MiB for 20 s in 32-bit floats, 380 MiB in 8 bits. Models of less
	// than wideModel bytes are narrower: both grow with the square of the width.
	activationsPerSecond = 22 << 20
	wideModel            = 300 << 20

	// What scoring takes: lattices of parts of a clip, and what the collector has
	// not yet taken back of them, and the comparison with the text, which grows with
	// the clip. Measured on a model that hears 25 symbols a second in noise.
	scoringBytes     = 224 << 20
	scoringPerSecond = 3 << 19
)

// ctc estimates a CTC model in ONNX Runtime: its weights, and for each call the
// larger of what the network and what scoring takes; they come one after the
// other.
func ctc(src Source, size int64) int64 {
	weights := float64(ctcWeights(src, size))
	width := math.Sqrt(min(1, weights/wideModel))
	window := number(src, "window_seconds", defaultWindowSeconds)
	clip := number(src, "max_seconds", defaultClipSeconds)
	activations := activationsPerSecond * width * min(window, clip)
	scoring := scoringBytes + scoringPerSecond*clip
	return processBytes + bytes(weights*weightsFactor+max(activations, scoring)*float64(max(1, src.MaxConcurrency)))
}

// ctcWeights returns the size of the file that is loaded: folders of published
// models hold several forms of the same model.
func ctcWeights(src Source, size int64) int64 {
	name := src.Parameters.GetFields()["file"].GetStringValue()
	if name == "" {
		name = "model.onnx"
	}
	var weights int64
	_ = eachFile(src.Path, func(path string, info fs.FileInfo) { // it was visited without an error before
		// Large models keep their weights beside the graph, as model.onnx_data.
		if strings.HasPrefix(filepath.Base(path), filepath.Base(name)) {
			weights += info.Size()
		}
	})
	if weights == 0 {
		return size
	}
	return weights
}
