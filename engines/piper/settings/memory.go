package settings

import "github.com/lexilingo/modelgateway/engines/footprint"

const (
	// voiceFactor is the memory of a loaded voice divided by the size of its file:
	// ONNX Runtime reorders the weights of convolutions for the processor and
	// keeps some of them twice.
	voiceFactor = 1.7
	// phonemeBytes is the memory of one phoneme of the longest run. A phoneme is
	// about 1,550 samples, and the last layers of a VITS decoder have some nine
	// tables of 32 floats for each sample.
	phonemeBytes = 2 << 20
	// phonemiserBytes is the memory of the process that runs libespeak-ng.
	phonemiserBytes = 20 << 20
)

// EstimateMemory returns the bytes that the processes of a voice will need: its
// weights and one run of the greatest length. Errors are MODEL_FILE_MISSING and
// MODEL_FILE_INVALID.
func EstimateMemory(m footprint.Model) (int64, error) {
	size, err := footprint.Size(m.Path)
	if err != nil {
		return 0, err
	}
	p, err := Read(m.Parameters)
	if err != nil {
		p = Defaults() // the load refuses such parameters
	}
	return estimate(size, p), nil
}

// estimate returns the memory of a voice with files of the given size. Runs do not
// overlap, however many requests there are, and the memory of the largest is
// reused by the others. Measured on a voice of the medium shape
// (engines/piper/testdata/make_medium.py): file 58 MB, loaded 96 MB, and 1.4 to
// 1.8 MB for each phoneme of a run, because the arena grows in steps.
func estimate(size int64, p Parameters) int64 {
	return footprint.ProcessBytes + phonemiserBytes + int64(float64(size)*voiceFactor) + int64(p.MaxPhonemes)*phonemeBytes
}
