package onnx

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	ort "github.com/yalue/onnxruntime_go"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/engines/onnx/onnxfile"
)

// Options are the options of loading a model.
type Options struct {
	// Device is DeviceAuto, DeviceCPU, DeviceCUDA or DeviceMPS; empty is DeviceAuto.
	Device string
	// Threads is the number of threads of one run, at least 1.
	Threads int
	// Unpacked disables the second, packed copy of the weights of matrices. For
	// HuBERT-large this saves a quarter of the memory and costs a seventh more time.
	Unpacked bool
	// Arena keeps the memory of ended runs, as much as the largest needed, for later
	// runs. It is for runs of limited size, one at a time. Without it each run
	// allocates its memory from the system and frees it.
	Arena bool
}

// Session is a loaded model. It is safe for concurrent use.
type Session struct {
	session         *ort.DynamicAdvancedSession
	inputs, outputs []Info
	device          string

	runs runs
}

// Load loads the file of a model. It returns MODEL_FILE_MISSING, MODEL_FILE_INVALID if
// ONNX Runtime cannot run the model, or ENGINE_UNAVAILABLE if the device is not
// available. ONNX Runtime cannot cancel a load: when ctx ends, Load returns at once, and
// the model is freed when the load has ended.
func (r *Runtime) Load(ctx context.Context, path string, opts Options) (*Session, error) {
	if err := checkFile(path); err != nil {
		return nil, err
	}
	devices, err := r.candidates(opts.Device)
	if err != nil {
		return nil, err
	}
	desc, err := onnxfile.Describe(path)
	if err != nil {
		return nil, fileError(path, err)
	}
	if len(desc.Inputs) == 0 || len(desc.Outputs) == 0 {
		return nil, fileError(path, errors.New("its graph has no inputs, or no outputs"))
	}
	if err := checkExternal(path, desc.External); err != nil {
		return nil, err
	}
	type result struct {
		session *Session
		err     error
	}
	done := make(chan result, 1)
	go func() {
		session, err := loadOnFirst(devices, path, desc, opts)
		done <- result{session, err}
	}()
	select {
	case r := <-done:
		return r.session, r.err
	case <-ctx.Done():
		go func() {
			if r := <-done; r.session != nil {
				r.session.Close()
			}
		}()
		return nil, ctx.Err()
	}
}

// checkFile checks for problems that ONNX Runtime reports less clearly.
func checkFile(path string) error {
	info, err := os.Stat(path)
	name := filepath.Base(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errs.New(errs.ModelFileMissing, "the model's file %s does not exist: put it there, or correct its path in the configuration", name).WithCause(err)
	case err != nil:
		return errs.New(errs.ModelFileInvalid, "the model's file %s cannot be read: check its permissions", name).WithCause(err)
	case !info.Mode().IsRegular() || info.Size() == 0 || strings.ContainsRune(path, 0):
		return errs.New(errs.ModelFileInvalid, "the model's file %s is empty or not a regular file: fetch it again", name)
	}
	return nil
}

// loadOnFirst loads the model on the first of the devices on which that succeeds.
func loadOnFirst(devices []string, path string, desc onnxfile.Description, opts Options) (*Session, error) {
	for i, device := range devices {
		session, err := load(device, path, desc, opts)
		if err == nil || i == len(devices)-1 {
			return session, err
		}
		slog.Warn("cannot load the model on a device; trying the next", "device", device, "error", err)
	}
	return nil, errs.New(errs.Internal, "no device is available")
}

func load(device, path string, desc onnxfile.Description, opts Options) (*Session, error) {
	options, err := newSessionOptions(device, opts)
	if err != nil {
		return nil, errs.New(errs.EngineUnavailable, "ONNX Runtime cannot use device %q: %v", device, err).
			With("device", device).WithCause(err)
	}
	defer func() { _ = options.Destroy() }() // never fails
	inputs, outputs := infos(desc.Inputs), infos(desc.Outputs)
	session, err := ort.NewDynamicAdvancedSession(path, names(inputs), names(outputs), options)
	if err != nil {
		return nil, fileError(path, fmt.Errorf("ONNX Runtime reports: %w", err))
	}
	return &Session{session: session, inputs: inputs, outputs: outputs, device: device}, nil
}

// allowSpinning is ONNX Runtime's option for what the threads of an operator do while
// they wait.
const allowSpinning = "session.intra_op.allow_spinning"

// newSessionOptions returns the options of a session whose runs have many different
// lengths.
func newSessionOptions(device string, opts Options) (*ort.SessionOptions, error) {
	options, err := ort.NewSessionOptions()
	if err != nil {
		return nil, err
	}
	err = errors.Join(
		options.SetIntraOpNumThreads(cmp.Or(opts.Threads, 1)),
		options.SetInterOpNumThreads(1),
		options.SetExecutionMode(ort.ExecutionModeSequential),
		options.SetGraphOptimizationLevel(ort.GraphOptimizationLevelEnableAll),
		// Failures are returned as errors and need not be printed.
		options.SetLogSeverityLevel(ort.LoggingLevelFatal),
		options.SetCpuMemArena(opts.Arena),
		// Memory patterns are kept for each length. For a medium Piper voice they need
		// 120 MB more than the arena alone, and save no time.
		options.SetMemPattern(false),
		// Threads must not spin while they wait for each other or for the next run:
		// other workers need the processor, and on a busy machine the threads that
		// they wait for do.
		options.AddSessionConfigEntry(allowSpinning, flag(false)),
		options.AddSessionConfigEntry("session.disable_prepacking", flag(opts.Unpacked)),
		appendProvider(options, device),
	)
	if err != nil {
		_ = options.Destroy() // never fails
		return nil, err
	}
	return options, nil
}

// flag returns a boolean in the form of ONNX Runtime's configuration.
func flag(on bool) string {
	if on {
		return "1"
	}
	return "0"
}

// fileError returns the error for a file that cannot be used. It names the file but not
// its folder.
func fileError(path string, err error) error {
	name := filepath.Base(path)
	reason := strings.ReplaceAll(err.Error(), path, name)
	return errs.New(errs.ModelFileInvalid, "the model's file %s cannot be used: %s; fetch it again",
		name, shorten(reason)).With("path", name).WithCause(err)
}

// shorten returns the text of a library's error on one line and with at most 300
// characters: names in a file can have any length.
func shorten(reason string) string {
	const limit = 300
	reason = strings.Join(strings.Fields(strings.ToValidUTF8(reason, "?")), " ")
	if runes := []rune(reason); len(runes) > limit {
		return string(runes[:limit]) + "…"
	}
	return reason
}

func names(infos []Info) []string {
	out := make([]string, len(infos))
	for i, info := range infos {
		out[i] = info.Name
	}
	return out
}

// Inputs describes the graph's inputs, in the order of the graph.
func (s *Session) Inputs() []Info { return slices.Clone(s.inputs) }

// Outputs describes the graph's outputs, in the order of the graph.
func (s *Session) Outputs() []Info { return slices.Clone(s.outputs) }

// Device returns the device on which the model runs.
func (s *Session) Device() string { return s.device }
