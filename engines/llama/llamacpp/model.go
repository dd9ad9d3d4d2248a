package llamacpp

/*
#include <stdlib.h>
#include "shim.h"
*/
import "C"

import (
	"errors"
	"runtime/cgo"
	"unsafe"

	"github.com/lexilingo/modelgateway/engines/ggml"
)

// ErrCancelled is returned by LoadModel if its progress function returned false.
var ErrCancelled = errors.New("the load was cancelled")

// LoadMode is the way in which a file's weights get into memory.
type LoadMode int

// The load modes. LoadRead copies the weights. LoadMap maps the file: the next load
// is faster, but the pages stay in memory beside the copy that ggml reorders for
// the processor.
const (
	LoadRead LoadMode = C.LLAMA_LOAD_MODE_NONE
	LoadMap  LoadMode = C.LLAMA_LOAD_MODE_MMAP
)

// ModelOptions are the options of LoadModel.
type ModelOptions struct {
	// Path is the GGUF file.
	Path string
	// Device is a name of a device from package ggml; empty is ggml.DeviceAuto.
	Device string
	// GPULayers is the number of layers on the device; a negative number is all of
	// them.
	GPULayers int
	// Mode is the load mode.
	Mode LoadMode
	// Progress is called with the loaded fraction, 0 to 1. If it returns false, the
	// load is cancelled. It may be nil.
	Progress func(fraction float64) bool
}

// Model is a loaded model. It is safe for concurrent use.
type Model struct {
	c     *C.struct_llama_model
	vocab *Vocab
}

// LoadModel loads a model's weights and vocabulary. Errors are ErrCancelled, those
// of ggml.CheckDevice, and errors with llama.cpp's own message about the file.
func (b *Backend) LoadModel(opts ModelOptions) (*Model, error) {
	devices, layers, err := chooseDevices(opts)
	if err != nil {
		return nil, err
	}
	defer C.free(unsafe.Pointer(devices))
	progress := &loadProgress{report: opts.Progress}
	handle := cgo.NewHandle(progress)
	defer handle.Delete()
	path := C.CString(opts.Path)
	defer C.free(unsafe.Pointer(path))

	b.log.ClearErrors()
	c := C.mg_model_load(path, devices, layers, C.enum_llama_load_mode(opts.Mode), C.uintptr_t(handle))
	switch {
	case c == nil && progress.cancelled:
		return nil, ErrCancelled
	case c == nil:
		return nil, b.log.LastErrors("llama.cpp does not say why it refuses the file")
	}
	m := &Model{c: c}
	m.vocab = newVocab(C.llama_model_get_vocab(c))
	return m, nil
}

// chooseDevices returns a NULL-terminated list of devices, which the caller frees
// (nil is all devices), and the number of layers to put on them.
func chooseDevices(opts ModelOptions) (*C.ggml_backend_dev_t, C.int32_t, error) {
	if opts.Device == "" || opts.Device == ggml.DeviceAuto {
		return nil, C.int32_t(opts.GPULayers), nil
	}
	if err := ggml.CheckDevice(opts.Device); err != nil {
		return nil, 0, err
	}
	var chosen []C.ggml_backend_dev_t
	for _, a := range ggml.Accelerators() {
		if a.Name == opts.Device {
			chosen = append(chosen, C.ggml_backend_dev_t(a.Handle))
		}
	}
	layers := opts.GPULayers
	if opts.Device == ggml.DeviceCPU {
		layers = 0
	}
	size := unsafe.Sizeof(C.ggml_backend_dev_t(nil))
	list := (*C.ggml_backend_dev_t)(C.calloc(C.size_t(len(chosen)+1), C.size_t(size)))
	copy(unsafe.Slice(list, len(chosen)), chosen)
	return list, C.int32_t(layers), nil
}

type loadProgress struct {
	report    func(float64) bool
	cancelled bool
}

//export goProgress
func goProgress(fraction C.float, handle C.uintptr_t) C.int {
	p := cgo.Handle(handle).Value().(*loadProgress)
	if p.report == nil || p.report(float64(fraction)) {
		return 1
	}
	p.cancelled = true
	return 0
}

// Close frees the model. Its contexts must be closed before.
func (m *Model) Close() {
	C.llama_model_free(m.c)
	m.c = nil
}

// Vocab returns the model's vocabulary.
func (m *Model) Vocab() *Vocab { return m.vocab }

// Description returns architecture, size and quantisation, e.g. "qwen3 1.7B Q8_0".
func (m *Model) Description() string {
	var buf [256]C.char
	C.llama_model_desc(m.c, &buf[0], C.size_t(len(buf)))
	return C.GoString(&buf[0])
}

// Metadata returns a value of the file's header as text; empty if it has none or it is
// longer than names and numbers are.
func (m *Model) Metadata(key string) string {
	name := C.CString(key)
	defer C.free(unsafe.Pointer(name))
	var buf [256]C.char
	if n := C.llama_model_meta_val_str(m.c, name, &buf[0], C.size_t(len(buf))); n < 0 || int(n) >= len(buf) {
		return ""
	}
	return C.GoString(&buf[0])
}

// TrainedContext returns the number of tokens that the model was trained on.
func (m *Model) TrainedContext() int { return int(C.llama_model_n_ctx_train(m.c)) }

// Generates reports whether the model continues text; encoders do not.
func (m *Model) Generates() bool {
	return bool(C.llama_model_has_decoder(m.c)) && !bool(C.llama_model_has_encoder(m.c))
}

// KeepsEveryPosition reports whether any prefix of a sequence can be kept or
// copied. That is false for models with a recurrent state or a window of attention.
func (m *Model) KeepsEveryPosition() bool {
	return !bool(C.llama_model_is_recurrent(m.c)) && !bool(C.llama_model_is_hybrid(m.c)) &&
		C.llama_model_n_swa(m.c) == 0
}

// ChatTemplate returns the Jinja template in the file; empty if it has none.
func (m *Model) ChatTemplate() string {
	t := C.llama_model_chat_template(m.c, nil)
	if t == nil {
		return ""
	}
	return C.GoString(t)
}
