package settings

import (
	"io/fs"
	"math"
	"path/filepath"
	"strings"

	"github.com/lexilingo/modelgateway/engines/footprint"
)

const (
	// weightsFactor covers what ONNX Runtime keeps beside the weights: 1.06 for
	// HuBERT-large in 32-bit floats, 1.2 in 8 bits, of which the file is a third.
	weightsFactor = 1.1

	// The activations of a window. Most are the feature extractor's, whose width is
	// the same in base and large models. Measured on HuBERT-large in ONNX Runtime
	// 1.23: 250 MiB for 20 s in 32-bit floats, 380 MiB in 8 bits. Models of less
	// than wideModel bytes are narrower: both grow with the square of the width.
	activationsPerSecond = 22 << 20
	wideModel            = 300 << 20

	// The memory of scoring: lattices of parts of a clip, with those that the
	// garbage collector has not freed yet, and the comparison with the text, which
	// grows with the clip. Measured on a model that recognises 25 symbols a second in
	// noise.
	scoringBytes     = 224 << 20
	scoringPerSecond = 3 << 19
)

// EstimateMemory returns the bytes that the process of a model will need: its
// weights in ONNX Runtime, and for each request the memory of the network or of
// scoring, whichever is larger; they do not run at the same time. Errors are
// MODEL_FILE_MISSING and MODEL_FILE_INVALID.
func EstimateMemory(m footprint.Model) (int64, error) {
	size, err := footprint.Size(m.Path)
	if err != nil {
		return 0, err
	}
	p, err := Read(m.Parameters)
	if err != nil {
		p = Defaults() // the load refuses such parameters
	}
	weights := float64(weightBytes(m.Path, p.File, size))
	width := math.Sqrt(min(1, weights/wideModel))
	activations := activationsPerSecond * width * min(p.WindowSeconds, p.MaxSeconds)
	scoring := scoringBytes + scoringPerSecond*p.MaxSeconds
	requests := float64(max(1, m.MaxConcurrency))
	return footprint.ProcessBytes + footprint.Bytes(weights*weightsFactor+max(activations, scoring)*requests), nil
}

// weightBytes returns the size of the file that is loaded and of the weights
// beside it; published folders often have the same model in several forms. If
// there is no such file, it returns the size of everything in the folder.
func weightBytes(path, file string, everything int64) int64 {
	var weights int64
	_ = footprint.EachFile(path, func(path string, info fs.FileInfo) { // it was visited without an error before
		// Large models keep their weights beside the graph, as model.onnx_data.
		if strings.HasPrefix(filepath.Base(path), filepath.Base(file)) {
			weights += info.Size()
		}
	})
	if weights == 0 {
		return everything
	}
	return weights
}
