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
	"unsafe"
)

// Backend is whisper.cpp made ready for use in this process: ggml's compute back
// ends loaded and the log routed. There is one in a process.
type Backend struct {
	log *logSink
}

// Open loads ggml's compute back ends from dir and routes whisper.cpp's log to
// log, for debugging. With dir empty they are looked for beside ggml's library,
// then where that library itself looks.
func Open(dir string, log *slog.Logger) (*Backend, error) {
	if dir == "" {
		dir = besideLibrary()
	}
	b := &Backend{log: &logSink{log: log}}
	// The handle lives as long as the process: whisper.cpp may log until its end.
	C.mg_log_set(C.uintptr_t(cgo.NewHandle(b.log)))
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
// ggml's library, "" if there is none.
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

// Version returns whisper.cpp's version.
func Version() string { return C.GoString(C.whisper_version()) }

// Device names, as MODEL_DEVICE spells them.
const (
	DeviceAuto = "auto"
	DeviceCPU  = "cpu"
	DeviceMPS  = "mps"
)

// Devices returns the names of the devices that are there, DeviceCPU first.
// Accelerators that MODEL_DEVICE has no name for have their ggml name, in lower
// case; DeviceAuto uses them.
func (b *Backend) Devices() []string {
	names := []string{DeviceCPU}
	for _, name := range accelerators() {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// accelerators names ggml's accelerators in the order in which whisper.cpp counts
// them.
func accelerators() []string {
	var names []string
	for i := range C.ggml_backend_dev_count() {
		d := C.ggml_backend_dev_get(i)
		switch C.ggml_backend_dev_type(d) {
		case C.GGML_BACKEND_DEVICE_TYPE_GPU, C.GGML_BACKEND_DEVICE_TYPE_IGPU:
			names = append(names, deviceName(C.GoString(C.ggml_backend_reg_name(C.ggml_backend_dev_backend_reg(d)))))
		}
	}
	return names
}

func deviceName(registry string) string {
	switch name := strings.ToLower(registry); name {
	case "metal", "mtl":
		return DeviceMPS
	default:
		return name
	}
}

// DeviceError says that a device that was asked for is not there.
type DeviceError struct {
	// Device is what was asked for.
	Device string
	// Present is what is there.
	Present []string
}

func (e *DeviceError) Error() string {
	return fmt.Sprintf("there is no device %q here; there is %s", e.Device, strings.Join(e.Present, ", "))
}

// logSink turns whisper.cpp's log, which comes in pieces of lines, into debug
// records, drops what is only information, and keeps the last complaints for the
// errors that follow them.
type logSink struct {
	log *slog.Logger

	mu         sync.Mutex
	line       strings.Builder
	isError    bool
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
	case C.GGML_LOG_LEVEL_ERROR, C.GGML_LOG_LEVEL_WARN:
		s.isError = level == C.GGML_LOG_LEVEL_ERROR
	default:
		// Pages for each load and each state.
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
	if s.isError {
		s.complaints = append(s.complaints, line)
		s.complaints = s.complaints[max(0, len(s.complaints)-maxComplaints):]
	}
	// What the library takes for an error is often a cancel; what is one is told
	// by the call that failed.
	s.log.Log(context.Background(), slog.LevelDebug, line, "library", "whisper.cpp")
}

// takeComplaints returns the error lines since the last call, in one.
func (s *logSink) takeComplaints() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := strings.Join(s.complaints, "; ")
	s.complaints = nil
	return text
}
