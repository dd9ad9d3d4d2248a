// Package onnx runs ONNX models on ONNX Runtime, for the engines whose models
// are ONNX files: it opens the library at run time, chooses the device, and
// makes of a file a Session whose runs can be cancelled.
//
// ONNX Runtime is reached through onnxruntime_go; no engine calls that library
// itself, because its mistakes crash a process: a wrong name, a type or a number
// of inputs are checked here first.
package onnx

import (
	_ "embed"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	ort "github.com/yalue/onnxruntime_go"

	"github.com/lexilingo/modelgateway/engines/errs"
)

// LibraryVariable names the library's file, where the system's loader does not
// find it by itself.
const LibraryVariable = "MG_ONNXRUNTIME"

// noTelemetry is ONNX Runtime's own variable that keeps it from reporting to its makers.
const noTelemetry = "ORT_DISABLE_TELEMETRY"

// Device names, as MODEL_DEVICE spells them.
const (
	DeviceAuto = "auto"
	DeviceCPU  = "cpu"
	DeviceCUDA = "cuda"
	DeviceMPS  = "mps"
)

// Runtime is ONNX Runtime made ready for use in this process. The library below
// has one environment for the whole process; it lives until the process ends.
type Runtime struct {
	library string
	devices []string
}

// opening keeps two Opens apart: the library's own state is one for the process.
var opening sync.Mutex

// Open opens ONNX Runtime and creates its environment. The library is the file
// that LibraryVariable names, else the one that the system's loader finds. One
// that is absent, or too old, is ENGINE_UNAVAILABLE. Opening it again is cheap.
func Open() (*Runtime, error) {
	opening.Lock()
	defer opening.Unlock()
	if ort.IsInitialized() {
		return newRuntime(os.Getenv(LibraryVariable)), nil
	}
	names := libraryNames()
	if named := os.Getenv(LibraryVariable); named != "" {
		names = []string{named}
	}
	var failed error
	for _, name := range names {
		err := initialize(name)
		if err == nil {
			return newRuntime(name), nil
		}
		if failed == nil {
			failed = err
		}
	}
	return nil, errs.New(errs.EngineUnavailable,
		"ONNX Runtime cannot be opened (%v); install it (libonnxruntime, version 1.22 or newer) or set %s to its file",
		failed, LibraryVariable).WithCause(failed)
}

// identity is the smallest of models.
//
//go:embed identity.onnx
var identity []byte

// initialize opens one file as the library. Debian's build registers the schemas
// of ONNX twice and complains of each on standard error, when it first sees a
// model: so it sees one here.
func initialize(library string) error {
	oneHeap()
	// Microsoft's builds for Linux report to Microsoft which models are loaded, from
	// 1.29 on, unless this is set before they are opened; Debian's do not.
	if err := os.Setenv(noTelemetry, "1"); err != nil {
		return err
	}
	ort.SetSharedLibraryPath(library)
	var err error
	filterError := filterStderr(isSchemaNoise, func() {
		if err = ort.InitializeEnvironment(ort.WithLogLevelError()); err == nil {
			_, _, err = ort.GetInputOutputInfoWithONNXData(identity)
		}
	})
	if filterError != nil {
		slog.Warn("the messages of ONNX Runtime's start are not filtered", "error", filterError)
	}
	return err
}

// isSchemaNoise tells the complaints about schemas that are registered twice;
// each is followed by an empty line.
func isSchemaNoise(line string) bool {
	return line == "" || strings.HasPrefix(line, "Schema error: Trying to register schema")
}

// libraryNames are the names under which systems install the library. Debian's
// name has the minor version too, and the one without any comes with the
// development package only.
func libraryNames() []string {
	if runtime.GOOS == "darwin" {
		return []string{"libonnxruntime.dylib", "/opt/homebrew/lib/libonnxruntime.dylib", "/usr/local/lib/libonnxruntime.dylib"}
	}
	names := []string{"libonnxruntime.so.1", "libonnxruntime.so"}
	versioned, _ := filepath.Glob("/usr/lib/*/libonnxruntime.so.1.[0-9]*")
	slices.Sort(versioned)
	slices.Reverse(versioned)
	return append(names, versioned...)
}

func newRuntime(library string) *Runtime {
	r := &Runtime{library: library, devices: []string{DeviceCPU}}
	for _, device := range []string{DeviceCUDA, DeviceMPS} {
		if r.has(device) {
			r.devices = append(r.devices, device)
		}
	}
	return r
}

// Version returns ONNX Runtime's version.
func (r *Runtime) Version() string { return ort.GetVersion() }

// Devices returns the names of the devices that the library was built for,
// DeviceCPU first.
func (r *Runtime) Devices() []string { return slices.Clone(r.devices) }

// has tells whether the library has the execution provider of a device. CUDA's
// is a library of its own beside the library: without it, asking for it prints
// an error.
func (r *Runtime) has(device string) bool {
	switch device {
	case DeviceCUDA:
		if _, err := os.Stat(filepath.Join(filepath.Dir(r.library), "libonnxruntime_providers_cuda.so")); err != nil {
			return false
		}
	case DeviceMPS:
		if runtime.GOOS != "darwin" {
			return false
		}
	}
	options, err := ort.NewSessionOptions()
	if err != nil {
		return false
	}
	defer func() { _ = options.Destroy() }() // it never fails
	return appendProvider(options, device) == nil
}

// appendProvider puts a device's execution provider before the CPU's.
func appendProvider(options *ort.SessionOptions, device string) error {
	switch device {
	case DeviceCUDA:
		cuda, err := ort.NewCUDAProviderOptions()
		if err != nil {
			return err
		}
		defer func() { _ = cuda.Destroy() }() // as above
		return options.AppendExecutionProviderCUDA(cuda)
	case DeviceMPS:
		return options.AppendExecutionProviderCoreMLV2(nil)
	default:
		return nil
	}
}

// order returns the devices to try for one that was asked for, best first. One
// that is not there is ENGINE_UNAVAILABLE and names what is.
func (r *Runtime) order(device string) ([]string, error) {
	switch {
	case device == DeviceAuto || device == "":
		best := slices.Clone(r.devices)
		slices.Reverse(best)
		return best, nil
	case slices.Contains(r.devices, device):
		return []string{device}, nil
	default:
		return nil, errs.New(errs.EngineUnavailable,
			"device %q is not there for ONNX models; this ONNX Runtime has %s; set device to one of these or to auto",
			device, strings.Join(r.devices, ", ")).With("device", device)
	}
}
