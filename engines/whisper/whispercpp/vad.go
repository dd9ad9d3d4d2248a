package whispercpp

/*
#include <float.h>
#include <stdlib.h>
#include "shim.h"
*/
import "C"

import (
	"errors"
	"unsafe"
)

// VAD finds speech with a voice activity model (Silero's, in ggml's format).
type VAD struct {
	control
	c *C.struct_whisper_vad_context
}

// VADOptions define what counts as speech.
type VADOptions struct {
	// Threshold is the probability above which a frame is speech.
	Threshold float32
	// MinSpeech and MinSilence are in milliseconds. Shorter speech is dropped, and
	// shorter silence is part of the speech. Pad is added before and after speech.
	MinSpeech, MinSilence, Pad int
	// MaxSpeech is the length in seconds after which speech is split; 0 is no limit.
	MaxSpeech float32
}

// Span is an interval of time in hundredths of a second.
type Span struct{ Start, End int }

// OpenVAD loads a voice activity model, which must have passed modelfile.CheckVAD.
// Each stream needs its own.
func (b *Backend) OpenVAD(path string, threads int) (*VAD, error) {
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	b.log.ClearErrors()
	c := C.mg_vad_load(name, C.int(threads))
	if c == nil {
		return nil, b.log.LastErrors("whisper.cpp gives no reason")
	}
	return &VAD{control: newControl(), c: c}, nil
}

// Close frees the model.
func (v *VAD) Close() {
	C.whisper_vad_free(v.c)
	v.free()
}

// Speech returns the stretches of samples at 16 kHz that contain speech, in order. It
// returns ErrAborted after Abort.
func (v *VAD) Speech(samples []float32, opts VADOptions) ([]Span, error) {
	if len(samples) == 0 {
		return nil, nil
	}
	params := C.whisper_vad_default_params()
	params.threshold = C.float(opts.Threshold)
	params.min_speech_duration_ms = C.int(opts.MinSpeech)
	params.min_silence_duration_ms = C.int(opts.MinSilence)
	params.speech_pad_ms = C.int(opts.Pad)
	if opts.MaxSpeech > 0 {
		params.max_speech_duration_s = C.float(opts.MaxSpeech)
	}
	found := C.mg_vad(v.c, params, (*C.float)(unsafe.Pointer(&samples[0])), C.int(len(samples)), v.control.c)
	if found != nil {
		defer C.whisper_vad_free_segments(found)
	}
	switch {
	case v.aborted():
		return nil, ErrAborted
	case found == nil:
		return nil, errors.New("whisper.cpp cannot compute the voice activity")
	}
	spans := make([]Span, C.whisper_vad_segments_n_segments(found))
	for i := range spans {
		spans[i] = Span{
			Start: int(C.whisper_vad_segments_get_segment_t0(found, C.int(i))),
			End:   int(C.whisper_vad_segments_get_segment_t1(found, C.int(i))),
		}
	}
	return spans, nil
}
