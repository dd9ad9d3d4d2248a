package footprint

// The settings of engine-piper that change its memory, and what they are by
// default.
const defaultMaxPhonemes = 150

const (
	// voiceFactor is the memory of a loaded voice over the size of its file: ONNX
	// Runtime keeps the weights of convolutions in the order that the processor
	// wants them in, some of them twice.
	voiceFactor = 1.7
	// phonemeBytes is what one phoneme of the longest run takes. It is spoken in
	// about 1,550 samples, and the last layers of a VITS decoder hold some nine
	// tables of 32 floats for each.
	phonemeBytes = 2 << 20
	// phonemiserBytes is the process that libespeak-ng runs in.
	phonemiserBytes = 20 << 20
)

// piper estimates a Piper voice: its weights and one run of the greatest length.
// Runs do not overlap, however many requests there are, and an arena keeps what the
// largest took for the others. Measured on a voice of the medium shape
// (engines/piper/testdata/make_medium.py): file 58 MB, loaded 96 MB, and 1.4 to 1.8 MB
// for each phoneme of a run, as the arena grows in steps.
func piper(src Source, size int64) int64 {
	phonemes := float64(defaultMaxPhonemes)
	if most, ok := src.Parameters.GetFields()["max_phonemes"]; ok && most.GetNumberValue() > 0 {
		phonemes = min(most.GetNumberValue(), 10_000)
	}
	return processBytes + phonemiserBytes + int64(float64(size)*voiceFactor) + int64(phonemes*phonemeBytes)
}
