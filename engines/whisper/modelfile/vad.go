package modelfile

import "fmt"

// CheckVAD checks the file of a voice activity model, Silero's for 16 kHz in ggml's
// format. It returns nil, or a MODEL_FILE_MISSING or MODEL_FILE_INVALID error.
func CheckVAD(path string) error {
	return read(path, "the voice activity model", func(r *reader) {
		r.magic()
		if kind := r.text("type", maxNameBytes); r.err == nil && kind != "silero-16k" {
			r.fail("it has the type %q; use a Silero model for 16 kHz", kind)
		}
		for range 3 { // its version
			r.int32()
		}
		// whisper.cpp builds its graph for these sizes and ignores those in the file.
		for _, want := range vadSizes() {
			if got := r.int32(); r.err == nil && got != want {
				r.fail("it has sizes that are not those of Silero's model for 16 kHz (%d instead of %d)", got, want)
			}
		}
		if r.err == nil {
			vadTensors().read(r)
		}
	})
}

const (
	vadWindow  = 512
	vadContext = 64
	vadState   = 128
)

// vadChannels are the channels between the encoder's convolutions.
func vadChannels() [5]int32 { return [5]int32{129, 128, 64, 64, 128} }

const vadKernel = 3

func vadSizes() []int32 {
	channels := vadChannels()
	sizes := []int32{vadWindow, vadContext, int32(len(channels) - 1)}
	for i := range len(channels) - 1 {
		sizes = append(sizes, channels[i], channels[i+1], vadKernel)
	}
	return append(sizes, vadState, vadState, vadState, 1)
}

func vadTensors() tensors {
	ts := tensors{}
	channels := vadChannels()
	for i := range len(channels) - 1 {
		name := fmt.Sprintf("_model.encoder.%d.reparam_conv", i)
		ts.add(name+".weight", float16s, vadKernel, int64(channels[i]), int64(channels[i+1]))
		ts.add(name+".bias", float32s, int64(channels[i+1]))
	}
	for _, part := range []string{"ih", "hh"} {
		ts.add("_model.decoder.rnn.weight_"+part, float32s, vadState, 4*vadState)
		ts.add("_model.decoder.rnn.bias_"+part, float32s, 4*vadState)
	}
	ts.add("_model.decoder.decoder.2.weight", float16s, vadState)
	ts.add("_model.decoder.decoder.2.bias", float32s)
	ts.add("_model.stft.forward_basis_buffer", float16s, 256, 1, 258)
	return ts
}
