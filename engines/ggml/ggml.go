// Package ggml initialises ggml, the tensor library of llama.cpp and whisper.cpp, in an
// engine's process: it loads the compute back ends, lists the devices and redirects the
// log.
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

// BackendsVariable is the environment variable with the folder of ggml's compute back
// ends. It is needed if LoadBackends does not find them.
const BackendsVariable = "MG_GGML_BACKENDS"

// LoadBackends loads the compute back ends from the folder of BackendsVariable if that
// is set, else from the folder beside ggml's library, else from ggml's default folders.
// It returns ENGINE_UNAVAILABLE if none of them is for the CPU. A process calls it once.
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
			"ggml found no compute back end for the CPU in %q: set %s to the folder of libggml-cpu*.so", dir, BackendsVariable)
	}
	return nil
}

// besideLibrary returns the folder of back ends beside ggml's library, as in Debian's
// packages; "" if there is none. ggml itself has only an absolute path, which is wrong
// if the packages are unpacked into another folder.
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

// Device names, as in MODEL_DEVICE.
const (
	DeviceAuto = "auto"
	DeviceCPU  = "cpu"
	DeviceMPS  = "mps"
)

// Accelerator is a device that can hold layers of a model.
type Accelerator struct {
	// Name is the name in MODEL_DEVICE; if there is none, ggml's in lower case.
	Name string
	// Handle is ggml's handle, a ggml_backend_dev_t.
	Handle unsafe.Pointer
}

// Accelerators returns the accelerators in ggml's order. Several may have the same
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

// Devices returns the names of the available devices, each once, beginning with
// DeviceCPU.
func Devices() []string {
	names := []string{DeviceCPU}
	for _, a := range Accelerators() {
		if !slices.Contains(names, a.Name) {
			names = append(names, a.Name)
		}
	}
	return names
}

// CheckDevice returns nil if a device is available, or if it is DeviceAuto or "", which
// means the same. Otherwise it returns ENGINE_UNAVAILABLE with the available devices.
func CheckDevice(device string) error {
	if device == "" || device == DeviceAuto {
		return nil
	}
	present := Devices()
	if slices.Contains(present, device) {
		return nil
	}
	return errs.New(errs.EngineUnavailable, "device %q is not available: use %s or auto",
		device, strings.Join(present, ", ")).With("device", device)
}
