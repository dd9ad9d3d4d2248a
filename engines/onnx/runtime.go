// Package onnx runs ONNX models with ONNX Runtime. It opens the library at run time,
// chooses the device, and loads a file as a Session whose runs can be cancelled.
//
// It uses onnxruntime_go. Engines must not call that library directly, because wrong
// names, types or numbers of inputs crash the process; package onnx checks them first.
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

// LibraryVariable is the environment variable with the path of the library. It is
// needed if the system's loader does not find it.
const LibraryVariable = "MG_ONNXRUNTIME"

// noTelemetry is the environment variable that disables ONNX Runtime's telemetry.
const noTelemetry = "ORT_DISABLE_TELEMETRY"

// Device names, as in MODEL_DEVICE.
const (
	DeviceAuto = "auto"
	DeviceCPU  = "cpu"
	DeviceCUDA = "cuda"
	DeviceMPS  = "mps"
)

// Runtime is the initialised ONNX Runtime. The library has one environment for the
// whole process, which exists until the process ends.
type Runtime struct {
	library string
	devices []string
}

// opening is held by Open, because the library has global state.
var opening sync.Mutex

// Open loads ONNX Runtime and creates its environment. It loads the file of
// LibraryVariable if that is set, else the one that the system's loader finds. It
// returns ENGINE_UNAVAILABLE if the library is missing or too old. Later calls are
// cheap.
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
		"ONNX Runtime cannot be loaded (%v): install libonnxruntime, version 1.22 or newer, or set %s to its file",
		failed, LibraryVariable).WithCause(failed)
}

// identity is a minimal model.
//
//go:embed identity.onnx
var identity []byte

// initialize loads a file as the library. When Debian's build reads its first model, it
// registers the schemas of ONNX twice and writes an error for each to standard error. So
// initialize reads a model, and drops these lines. filterStderr is not needed any more
// when Debian's libonnxruntime registers them once.
func initialize(library string) error {
	// From 1.29 on, Microsoft's builds for Linux report the loaded models to Microsoft
	// unless this is set before the library is loaded. Debian's builds do not.
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
		slog.Warn("cannot filter the messages of ONNX Runtime's start", "error", filterError)
	}
	return err
}

// isSchemaNoise reports whether a line is an error about a schema that is registered
// twice, or the empty line after it.
func isSchemaNoise(line string) bool {
	return line == "" || strings.HasPrefix(line, "Schema error: Trying to register schema")
}

// libraryNames returns the names under which systems install the library. Debian's name
// includes the minor version; the name without a version is in the development package.
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

// Devices returns the names of the devices that the library supports, beginning with
// DeviceCPU.
func (r *Runtime) Devices() []string { return slices.Clone(r.devices) }

// has reports whether the library has the execution provider of a device. That of CUDA
// is a separate library in the same folder; without it, the library prints an error.
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
	defer func() { _ = options.Destroy() }() // never fails
	return appendProvider(options, device) == nil
}

// appendProvider adds a device's execution provider before that of the CPU.
func appendProvider(options *ort.SessionOptions, device string) error {
	switch device {
	case DeviceCUDA:
		cuda, err := ort.NewCUDAProviderOptions()
		if err != nil {
			return err
		}
		defer func() { _ = cuda.Destroy() }() // never fails
		return options.AppendExecutionProviderCUDA(cuda)
	case DeviceMPS:
		return options.AppendExecutionProviderCoreMLV2(nil)
	default:
		return nil
	}
}

// candidates returns the devices to try for a requested device, the best first. If the
// device is not available, it returns ENGINE_UNAVAILABLE with the available ones.
func (r *Runtime) candidates(device string) ([]string, error) {
	switch {
	case device == DeviceAuto || device == "":
		best := slices.Clone(r.devices)
		slices.Reverse(best)
		return best, nil
	case slices.Contains(r.devices, device):
		return []string{device}, nil
	default:
		return nil, errs.New(errs.EngineUnavailable,
			"device %q is not available in the installed ONNX Runtime: use %s or auto",
			device, strings.Join(r.devices, ", ")).With("device", device)
	}
}
