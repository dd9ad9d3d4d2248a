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
	// Path is the ggml file. It must have passed modelfile.Check, because whisper.cpp
	// may end the process if the file is damaged.
	Path string
	// Device is one of ggml's Device names; empty is ggml.DeviceAuto.
	Device string
	// FlashAttention computes attention in one step, with less memory.
	FlashAttention bool
	// WeightsAt is the offset of the first tensor in the file. A load cannot be
	// cancelled before it.
	WeightsAt int64
	// Size is the size of the file, for progress.
	Size int64
	// Progress is called repeatedly with the fraction that has been read, 0 to 1. It
	// may be nil.
	Progress func(fraction float64)
}

// Model is a loaded model. It is safe for concurrent use.
type Model struct {
	c *C.struct_whisper_context
}

// progressInterval is how often the progress of a load is reported.
const progressInterval = 50 * time.Millisecond

// LoadModel loads the weights and the vocabulary of a model. Its error is that of ctx
// or of ggml.CheckDevice, or contains whisper.cpp's log about the file.
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

	b.log.ClearErrors()
	c := C.mg_model_load(path, params, C.uint64_t(opts.WeightsAt), control.c)
	switch {
	case ctx.Err() != nil:
		if c != nil {
			C.whisper_free(c)
		}
		return nil, ctx.Err()
	case c == nil:
		return nil, b.log.LastErrors("whisper.cpp gives no reason")
	}
	return &Model{c: c}, nil
}

// watchLoad reports the progress of a load until stop is called.
func watchLoad(c control, opts ModelOptions) (stop func()) {
	if opts.Progress == nil || opts.Size <= 0 {
		return func() {}
	}
	report := func() { opts.Progress(float64(C.mg_control_bytes(c.c)) / float64(opts.Size)) }
	done, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		ticker := time.NewTicker(progressInterval)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				report()
				return
			case <-ticker.C:
				report()
			}
		}
	}()
	return func() { close(done); <-stopped }
}

func chooseDevice(params *C.struct_whisper_context_params, device string) error {
	if err := ggml.CheckDevice(device); err != nil {
		return err
	}
	// whisper.cpp numbers the accelerators like ggml.
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

// Close frees the model. Its states must be closed before.
func (m *Model) Close() {
	C.whisper_free(m.c)
	m.c = nil
}

// bindingContext returns the model as a value of the Go binding.
func (m *Model) bindingContext() *binding.Context { return (*binding.Context)(unsafe.Pointer(m.c)) }

// Multilingual reports whether the model supports languages other than English.
func (m *Model) Multilingual() bool { return m.bindingContext().Whisper_is_multilingual() != 0 }

// Description returns the size, the languages and the quantisation of the model, such
// as "whisper, 6+6 layers of width 512, English, ftype 1".
func (m *Model) Description() string {
	languages := "English"
	if m.Multilingual() {
		languages = "multilingual"
	}
	return fmt.Sprintf("whisper, %d+%d layers of width %d, %s, ftype %d", C.whisper_model_n_audio_layer(m.c),
		C.whisper_model_n_text_layer(m.c), C.whisper_model_n_audio_state(m.c), languages, C.whisper_model_ftype(m.c))
}

// LanguageID returns whisper.cpp's id of a language, and whether there is such a
// language. language is an ISO 639-1 code or an English name in lower case.
func LanguageID(language string) (int, bool) {
	for id := range binding.Whisper_lang_max_id() + 1 {
		if language == binding.Whisper_lang_str(id) || language == C.GoString(C.whisper_lang_str_full(C.int(id))) {
			return id, true
		}
	}
	return 0, false
}

// Languages returns the number of languages in the vocabulary, which may be smaller
// than the number of languages in whisper.cpp. Their ids are less than it. The
// calculation is that of whisper.cpp's num_languages.
func (m *Model) Languages() int {
	const others = 51765 // tokens that are not languages, without the one that only multilingual models have
	n := m.bindingContext().Whisper_n_vocab() - others
	if m.Multilingual() {
		n--
	}
	return max(0, min(n, binding.Whisper_lang_max_id()+1))
}

// LanguageCode returns the ISO 639-1 code of a language id.
func LanguageCode(id int) string { return binding.Whisper_lang_str(id) }
