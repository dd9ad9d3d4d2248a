package whispercpp

/*
#include <stdlib.h>
#include "shim.h"
*/
import "C"

import (
	"context"
	"fmt"
	"slices"
	"time"
	"unsafe"

	binding "github.com/ggerganov/whisper.cpp/bindings/go"

	"github.com/lexilingo/modelgateway/engines/ggml"
)

// ModelOptions says how to load a model.
type ModelOptions struct {
	// Path is the ggml file. It must have passed modelfile.Check: whisper.cpp
	// ends the process over many kinds of damage.
	Path string
	// Device is one of ggml's Device names; empty is ggml.DeviceAuto.
	Device string
	// FlashAttention computes attention in one step, with less memory.
	FlashAttention bool
	// WeightsAt is the offset of the first tensor in the file, where a load can
	// first be cancelled.
	WeightsAt int64
	// Size is the file's size, for progress.
	Size int64
	// Progress gets the share that is read, 0 to 1, now and then. It may be nil.
	Progress func(fraction float64)
}

// Model is a loaded model. It may be shared between goroutines.
type Model struct {
	c *C.struct_whisper_context
}

// progressInterval is how often a load's progress is looked at.
const progressInterval = 50 * time.Millisecond

// LoadModel loads a model's weights and vocabulary. Its error is ctx's,
// that of ggml.CheckDevice, or has whisper.cpp's own words about the file.
func (b *Backend) LoadModel(ctx context.Context, opts ModelOptions) (*Model, error) {
	params := C.whisper_context_default_params()
	params.flash_attn = C.bool(opts.FlashAttention)
	if err := chooseDevice(&params, opts.Device); err != nil {
		return nil, err
	}
	control := newControl()
	defer control.free()
	defer context.AfterFunc(ctx, control.Abort)()
	defer watchLoad(control, opts)()
	path := C.CString(opts.Path)
	defer C.free(unsafe.Pointer(path))

	b.log.Forget()
	c := C.mg_model_load(path, params, C.uint64_t(opts.WeightsAt), control.c)
	switch {
	case ctx.Err() != nil:
		if c != nil {
			C.whisper_free(c)
		}
		return nil, ctx.Err()
	case c == nil:
		return nil, b.log.Refusal("whisper.cpp does not say why it refuses the file")
	}
	return &Model{c: c}, nil
}

// watchLoad tells a load's progress until the function that it returns is called.
func watchLoad(c control, opts ModelOptions) (stop func()) {
	if opts.Progress == nil || opts.Size <= 0 {
		return func() {}
	}
	tell := func() { opts.Progress(float64(C.mg_control_bytes(c.c)) / float64(opts.Size)) }
	done, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		ticker := time.NewTicker(progressInterval)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				tell()
				return
			case <-ticker.C:
				tell()
			}
		}
	}()
	return func() { close(done); <-stopped }
}

func chooseDevice(params *C.struct_whisper_context_params, device string) error {
	if err := ggml.CheckDevice(device); err != nil {
		return err
	}
	// whisper.cpp counts the accelerators as ggml does.
	found := ggml.Accelerators()
	named := slices.IndexFunc(found, func(a ggml.Accelerator) bool { return a.Name == device })
	switch {
	case device == ggml.DeviceCPU:
		params.use_gpu = false
	case named >= 0:
		params.use_gpu = true
		params.gpu_device = C.int(named)
	default:
		params.use_gpu = C.bool(len(found) > 0)
	}
	return nil
}

// Close frees the model. States made from it must be closed before.
func (m *Model) Close() {
	C.whisper_free(m.c)
	m.c = nil
}

// bound returns the model as the binding has it.
func (m *Model) bound() *binding.Context { return (*binding.Context)(unsafe.Pointer(m.c)) }

// Multilingual tells whether the model knows languages beside English.
func (m *Model) Multilingual() bool { return m.bound().Whisper_is_multilingual() != 0 }

// Description tells architecture, size and quantisation, e.g. "whisper base, English, ftype 1".
func (m *Model) Description() string {
	languages := "English"
	if m.Multilingual() {
		languages = "multilingual"
	}
	return fmt.Sprintf("whisper, %d+%d layers of width %d, %s, ftype %d", C.whisper_model_n_audio_layer(m.c),
		C.whisper_model_n_text_layer(m.c), C.whisper_model_n_audio_state(m.c), languages, C.whisper_model_ftype(m.c))
}

// LanguageID returns whisper.cpp's number of a language, given by its ISO 639-1
// code or its English name in lower case, and whether there is such a language.
func LanguageID(language string) (int, bool) {
	for id := range binding.Whisper_lang_max_id() + 1 {
		if language == binding.Whisper_lang_str(id) || language == C.GoString(C.whisper_lang_str_full(C.int(id))) {
			return id, true
		}
	}
	return 0, false
}

// Languages returns the number of languages that the vocabulary has tokens for;
// whisper.cpp knows some more. Their numbers are below it. The arithmetic is that of
// whisper.cpp's num_languages.
func (m *Model) Languages() int {
	const others = 51765 // tokens that are no languages, without the one that only multilingual models have
	n := m.bound().Whisper_n_vocab() - others
	if m.Multilingual() {
		n--
	}
	return max(0, min(n, binding.Whisper_lang_max_id()+1))
}

// LanguageCode returns the ISO 639-1 code of a language's number.
func LanguageCode(id int) string { return binding.Whisper_lang_str(id) }
