// Package ggml makes ggml, the tensor library below llama.cpp and whisper.cpp, ready
// for use in an engine's process: it loads the compute back ends, names the devices
// and takes the log.
package ggml

/*
#cgo LDFLAGS: -lggml -lggml-base
#include <stdlib.h>
#include "shim.h"
*/
import "C"

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unsafe"

	"github.com/lexilingo/modelgateway/engines/errs"
)

// BackendsVariable names the folder of ggml's compute back ends, where the system's
// ggml does not find them by itself.
const BackendsVariable = "MG_GGML_BACKENDS"

// LoadBackends loads the compute back ends in the folder that BackendsVariable
// names, else those beside ggml's library, else those where that library itself
// looks. Where none of them computes on the processor it is ENGINE_UNAVAILABLE. A
// process needs it once.
func LoadBackends() error {
	dir := os.Getenv(BackendsVariable)
	if dir == "" {
		dir = besideLibrary()
	}
	if dir == "" {
		C.ggml_backend_load_all()
	} else {
		path := C.CString(dir)
		defer C.free(unsafe.Pointer(path))
		C.ggml_backend_load_all_from_path(path)
	}
	if C.ggml_backend_dev_by_type(C.GGML_BACKEND_DEVICE_TYPE_CPU) == nil {
		return errs.New(errs.EngineUnavailable,
			"ggml finds no compute back end in %q; set %s to the folder of libggml-cpu*.so", dir, BackendsVariable)
	}
	return nil
}

// besideLibrary returns the folder of back ends that Debian's packages put beside
// ggml's library, "" if there is none. ggml knows it only by its absolute place,
// which is another where the packages lie in a prefix.
func besideLibrary() string {
	library := C.mg_ggml_library()
	if library == nil {
		return ""
	}
	found, err := filepath.Glob(filepath.Join(filepath.Dir(C.GoString(library)), "ggml", "backends*"))
	if err != nil || len(found) == 0 {
		return ""
	}
	return found[len(found)-1]
}

// Device names, as MODEL_DEVICE spells them.
const (
	DeviceAuto = "auto"
	DeviceCPU  = "cpu"
	DeviceMPS  = "mps"
)

// Accelerator is a device that holds layers of a model.
type Accelerator struct {
	// Name is MODEL_DEVICE's, or, where that has none, ggml's in lower case.
	Name string
	// Handle is ggml's own, a ggml_backend_dev_t.
	Handle unsafe.Pointer
}

// Accelerators returns the accelerators in ggml's order; there may be several of one
// name. DeviceAuto uses them.
func Accelerators() []Accelerator {
	var found []Accelerator
	for i := range C.ggml_backend_dev_count() {
		d := C.ggml_backend_dev_get(i)
		switch C.ggml_backend_dev_type(d) {
		case C.GGML_BACKEND_DEVICE_TYPE_GPU, C.GGML_BACKEND_DEVICE_TYPE_IGPU:
			registry := C.GoString(C.ggml_backend_reg_name(C.ggml_backend_dev_backend_reg(d)))
			found = append(found, Accelerator{Name: deviceName(registry), Handle: unsafe.Pointer(d)})
		}
	}
	return found
}

func deviceName(registry string) string {
	switch name := strings.ToLower(registry); name {
	case "metal", "mtl":
		return DeviceMPS
	default:
		return name
	}
}

// Devices returns the names of the devices that are there, each once, DeviceCPU
// first.
func Devices() []string {
	names := []string{DeviceCPU}
	for _, a := range Accelerators() {
		if !slices.Contains(names, a.Name) {
			names = append(names, a.Name)
		}
	}
	return names
}

// CheckDevice returns nil for a device that is there, for DeviceAuto and for "",
// which means the same; else ENGINE_UNAVAILABLE, which names what is there.
func CheckDevice(device string) error {
	if device == "" || device == DeviceAuto {
		return nil
	}
	present := Devices()
	if slices.Contains(present, device) {
		return nil
	}
	return errs.New(errs.EngineUnavailable, "there is no device %q here; there is %s; set device to one of these or to auto",
		device, strings.Join(present, ", ")).With("device", device)
}
