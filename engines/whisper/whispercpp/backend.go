// Package whispercpp is a thin layer over whisper.cpp: models, states and voice
// activity models as Go values, without any policy. It uses the library's Go binding
// where possible. It could use it for everything if the binding had a state for each
// stream, loads and computations that can be cancelled, and voice activity; these are
// implemented in C here.
//
// The package is compiled against the installed header, so a change of the C interface
// is a build error. A Model is safe for concurrent use. A State and a VAD must not be
// used concurrently, except for Abort, Graphs and Nodes.
package whispercpp

/*
#cgo LDFLAGS: -lwhisper -lggml -lggml-base
#include "shim.h"
*/
import "C"

import (
	"log/slog"

	"github.com/lexilingo/modelgateway/engines/ggml"
)

// Backend is the initialised whisper.cpp, with ggml's compute back ends loaded and the
// log redirected. A process must have only one.
type Backend struct {
	log *ggml.Log
}

// Open initialises whisper.cpp and redirects its log to log, at debug level: many of
// its errors are cancellations, and real ones are returned by the call that failed. Its
// error is that of ggml.LoadBackends.
func Open(log *slog.Logger) (*Backend, error) {
	b := &Backend{log: ggml.NewLog("whisper.cpp", log, slog.LevelDebug)}
	callback, data := b.log.Callback()
	C.mg_log_set(callback, C.uintptr_t(data))
	if err := ggml.LoadBackends(); err != nil {
		return nil, err
	}
	return b, nil
}

// Version returns whisper.cpp's version.
func Version() string { return C.GoString(C.whisper_version()) }
