// Package whispercpp is a thin layer over whisper.cpp: models, states and voice
// activity models as Go values, and nothing that decides. What the library's own
// Go binding has is taken from there; the rest (a state for each stream, loads
// and computations that can be cancelled, voice activity) is called in C here.
//
// It is compiled against the installed header, so a change of that interface is a
// build error. A Model may be shared between goroutines; a State and a VAD belong
// to one at a time, their Abort excepted.
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

// Backend is whisper.cpp made ready for use in this process: ggml's compute back
// ends loaded and the log routed. There is one in a process.
type Backend struct {
	log *ggml.Log
}

// Open makes whisper.cpp ready and routes its log to log, for debugging: what it
// takes for an error is often a cancel, and what is one is told by the call that
// failed. Its error is that of ggml.LoadBackends.
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
