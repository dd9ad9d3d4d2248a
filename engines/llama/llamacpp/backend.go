// Package llamacpp is a thin layer over llama.cpp's C interface, llama.h: models,
// vocabularies, contexts and samplers as Go values, and nothing that decides.
//
// It is compiled against the installed header, so a change of that interface is
// a build error. A Context and the Samplers used with it belong to one thread at
// a time; Model and Vocab may be shared.
package llamacpp

/*
#cgo LDFLAGS: -lllama -lggml -lggml-base
#include <stdlib.h>
#include "shim.h"
*/
import "C"

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime/cgo"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"unsafe"
)

// Backend is llama.cpp made ready for use in this process: its compute back ends
// loaded and its log routed. There is one in a process.
type Backend struct {
	log *logSink
}

// Open loads ggml's compute back ends from dir and routes llama.cpp's log to log.
// With dir empty they are looked for beside ggml's library, then where that
// library itself looks.
func Open(dir string, log *slog.Logger) (*Backend, error) {
	if dir == "" {
		dir = besideLibrary()
	}
	b := &Backend{log: &logSink{log: log}}
	// The handle lives as long as the process: llama.cpp may log until its end.
	C.mg_log_set(C.uintptr_t(cgo.NewHandle(b.log)))
	C.llama_backend_init()
	if dir == "" {
		C.ggml_backend_load_all()
	} else {
		path := C.CString(dir)
		defer C.free(unsafe.Pointer(path))
		C.ggml_backend_load_all_from_path(path)
	}
	if C.ggml_backend_dev_by_type(C.GGML_BACKEND_DEVICE_TYPE_CPU) == nil {
		return nil, fmt.Errorf("no compute back end of ggml was found in %q", dir)
	}
	return b, nil
}

// besideLibrary returns the folder of back ends that Debian's packages put beside
// ggml's library, "" if there is none. ggml knows it only by its absolute place,
// which is another where the packages lie in a prefix.
func besideLibrary() string {
	library := C.mg_library()
	if library == nil {
		return ""
	}
	found, err := filepath.Glob(filepath.Join(filepath.Dir(C.GoString(library)), "ggml", "backends*"))
	if err != nil || len(found) == 0 {
		return ""
	}
	return found[len(found)-1]
}

// Version returns llama.cpp's version.
func Version() string { return C.GoString(C.llama_version()) }

// Device names, as MODEL_DEVICE spells them.
const (
	DeviceAuto = "auto"
	DeviceCPU  = "cpu"
	DeviceCUDA = "cuda"
	DeviceMPS  = "mps"
)

// Devices returns the names of the devices that are there, DeviceCPU first.
// Accelerators that MODEL_DEVICE has no name for have their ggml name, in lower
// case; DeviceAuto uses them.
func (b *Backend) Devices() []string {
	names := []string{DeviceCPU}
	for _, d := range accelerators() {
		if name := deviceName(d); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// accelerators returns ggml's devices that hold layers of a model.
func accelerators() []C.ggml_backend_dev_t {
	var devices []C.ggml_backend_dev_t
	for i := range C.ggml_backend_dev_count() {
		d := C.ggml_backend_dev_get(i)
		switch C.ggml_backend_dev_type(d) {
		case C.GGML_BACKEND_DEVICE_TYPE_GPU, C.GGML_BACKEND_DEVICE_TYPE_IGPU:
			devices = append(devices, d)
		}
	}
	return devices
}

func deviceName(d C.ggml_backend_dev_t) string {
	name := strings.ToLower(C.GoString(C.ggml_backend_reg_name(C.ggml_backend_dev_backend_reg(d))))
	switch name {
	case "metal", "mtl":
		return DeviceMPS
	default:
		return name
	}
}

// logSink turns llama.cpp's warnings and errors, which come in pieces of lines,
// into log records, drops the rest, and keeps the last complaints for the errors that follow them.
type logSink struct {
	log *slog.Logger

	// expected is true while a computation is being aborted: what llama.cpp
	// says of that as of an error is none.
	expected atomic.Bool

	mu         sync.Mutex
	line       strings.Builder
	level      slog.Level
	dropped    bool // the line is of no interest
	complaints []string
}

// maxComplaints is how many error lines an error message may quote.
const maxComplaints = 8

//export goLog
func goLog(level C.int, text *C.char, handle C.uintptr_t) {
	cgo.Handle(handle).Value().(*logSink).write(int(level), C.GoString(text))
}

func (s *logSink) write(level int, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch level {
	case C.GGML_LOG_LEVEL_CONT:
		if s.dropped {
			return
		}
	case C.GGML_LOG_LEVEL_ERROR:
		s.level = slog.LevelError
	case C.GGML_LOG_LEVEL_WARN:
		s.level = slog.LevelWarn
	default:
		// What llama.cpp calls information is pages for each load; a worker that
		// logs that much loses lines that matter.
		s.dropped = true
		return
	}
	s.dropped = false
	s.line.WriteString(text)
	if !strings.HasSuffix(text, "\n") {
		return
	}
	line := strings.TrimSpace(s.line.String())
	s.line.Reset()
	if line == "" {
		return
	}
	if s.level == slog.LevelError {
		s.complaints = append(s.complaints, line)
		s.complaints = s.complaints[max(0, len(s.complaints)-maxComplaints):]
	}
	if s.expected.Load() {
		return
	}
	s.log.Log(context.Background(), s.level, line, "library", "llama.cpp")
}

// takeComplaints returns the error lines since the last call, in one.
func (s *logSink) takeComplaints() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := strings.Join(s.complaints, "; ")
	s.complaints = nil
	return text
}
