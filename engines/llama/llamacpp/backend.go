// Package llamacpp is a thin layer over llama.cpp's C interface, llama.h: models,
// vocabularies, contexts and samplers as Go values. It makes no decisions.
//
// It is compiled against the installed header, so a change of that interface is a
// build error. A Context and the Samplers used with it must be used by one thread
// at a time; Model and Vocab may be shared.
package llamacpp

/*
#cgo LDFLAGS: -lllama -lggml-base -lm
#include "shim.h"
*/
import "C"

import (
	"log/slog"

	"github.com/lexilingo/modelgateway/engines/ggml"
)

// Backend is the initialised llama.cpp of this process: ggml's compute back ends
// are loaded and its log is redirected. A process has one.
type Backend struct {
	log *ggml.Log
}

// Open initialises llama.cpp and redirects its log to log. Its errors are those of
// ggml.LoadBackends.
func Open(log *slog.Logger) (*Backend, error) {
	b := &Backend{log: ggml.NewLog("llama.cpp", log, slog.LevelError)}
	callback, data := b.log.Callback()
	C.mg_log_set(callback, C.uintptr_t(data))
	if err := ggml.LoadBackends(); err != nil {
		return nil, err
	}
	C.llama_backend_init()
	return b, nil
}

// Version returns llama.cpp's version.
func Version() string { return C.GoString(C.llama_version()) }
