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
)

// Options say how a model is loaded.
type Options struct {
	// Device is DeviceAuto, DeviceCPU, DeviceCUDA or DeviceMPS; empty is auto.
	Device string
	// Threads is the number of threads of one run; at least 1.
	Threads int
	// Unpacked keeps the weights of matrices as they are in the file, and not in a
	// second, packed copy as well: of HuBERT-large less memory by a quarter, for
	// about a seventh more time.
	Unpacked bool
	// Arena keeps the memory of ended runs for those to come, as much as the largest
	// needed: for runs that come one at a time and are of bounded size. Without it
	// each run gets its memory from the system, page by page, and gives it back.
	Arena bool
}

// Session is a loaded model. It may be run by several goroutines at once.
type Session struct {
	session         *ort.DynamicAdvancedSession
	inputs, outputs []Info
	device          string

	runs runs
}

// Load opens a model's file. Errors are MODEL_FILE_MISSING, MODEL_FILE_INVALID
// for what is no model or none that ONNX Runtime can run, and ENGINE_UNAVAILABLE
// for a device that is not there. ONNX Runtime cannot be stopped while it loads:
// when ctx ends, Load returns at once, and the load is dropped when it is done.
func (r *Runtime) Load(ctx context.Context, path string, opts Options) (*Session, error) {
	if err := checkFile(path); err != nil {
		return nil, err
	}
	devices, err := r.order(opts.Device)
	if err != nil {
		return nil, err
	}
	about, err := describe(path)
	if err != nil {
		return nil, fileError(path, err)
	}
	if len(about.inputs) == 0 || len(about.outputs) == 0 {
		return nil, fileError(path, errors.New("its graph has no inputs, or no outputs"))
	}
	if err := checkExternal(path, about.external); err != nil {
		return nil, err
	}
	type result struct {
		session *Session
		err     error
	}
	done := make(chan result, 1)
	go func() {
		session, err := loadOnFirst(devices, path, about, opts)
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

// checkFile looks for what ONNX Runtime would say less clearly.
func checkFile(path string) error {
	info, err := os.Stat(path)
	name := filepath.Base(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errs.New(errs.ModelFileMissing, "the model's file %s is not there; put it there, or set its path in the configuration", name).WithCause(err)
	case err != nil:
		return errs.New(errs.ModelFileInvalid, "the model's file %s cannot be read; check its permissions", name).WithCause(err)
	case !info.Mode().IsRegular() || info.Size() == 0 || strings.ContainsRune(path, 0):
		return errs.New(errs.ModelFileInvalid, "the model's file %s is empty or no regular file; fetch it again", name)
	}
	return nil
}

// loadOnFirst loads on the first of the devices that takes the model.
func loadOnFirst(devices []string, path string, about description, opts Options) (*Session, error) {
	for i, device := range devices {
		session, err := load(device, path, about, opts)
		if err == nil || i == len(devices)-1 {
			return session, err
		}
		slog.Warn("a device does not take the model; the next is tried", "device", device, "error", err)
	}
	return nil, errs.New(errs.Internal, "there is no device to load on")
}

func load(device, path string, about description, opts Options) (*Session, error) {
	options, err := newSessionOptions(device, opts)
	if err != nil {
		return nil, errs.New(errs.EngineUnavailable, "ONNX Runtime cannot be set up for device %q: %v", device, err).
			With("device", device).WithCause(err)
	}
	defer func() { _ = options.Destroy() }() // it never fails
	session, err := ort.NewDynamicAdvancedSession(path, names(about.inputs), names(about.outputs), options)
	if err != nil {
		return nil, fileError(path, fmt.Errorf("ONNX Runtime says: %w", err))
	}
	return &Session{session: session, inputs: about.inputs, outputs: about.outputs, device: device}, nil
}

// newSessionOptions sets a session up for one run after another of ever other
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
		// Failures come back as errors; nothing needs to be printed as well.
		options.SetLogSeverityLevel(ort.LoggingLevelFatal),
		options.SetCpuMemArena(opts.Arena),
		// Patterns of memory are kept for each length that was ever seen: of a medium
		// Piper voice they take 120 MB more than the arena alone, and save no time.
		options.SetMemPattern(false),
		// Threads wait for the next run without turning in circles: other workers
		// share the machine.
		options.AddSessionConfigEntry("session.force_spinning_stop", "1"),
		options.AddSessionConfigEntry("session.disable_prepacking", flag(opts.Unpacked)),
		appendProvider(options, device),
	)
	if err != nil {
		_ = options.Destroy() // as above
		return nil, err
	}
	return options, nil
}

// flag spells a setting as ONNX Runtime's configuration does.
func flag(on bool) string {
	if on {
		return "1"
	}
	return "0"
}

// fileError tells a person why a file cannot be used, without its path.
func fileError(path string, err error) error {
	name := filepath.Base(path)
	reason := strings.ReplaceAll(err.Error(), path, name)
	return errs.New(errs.ModelFileInvalid, "the model's file %s cannot be used: %s; fetch the file again",
		name, clip(reason)).With("path", name).WithCause(err)
}

// clip shortens what a library says of a file to what a person reads, in one
// line: names inside a hostile file can be of any length.
func clip(reason string) string {
	const most = 300
	reason = strings.Join(strings.Fields(strings.ToValidUTF8(reason, "?")), " ")
	if runes := []rune(reason); len(runes) > most {
		return string(runes[:most]) + "…"
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

// Inputs describes the graph's inputs, in its order.
func (s *Session) Inputs() []Info { return slices.Clone(s.inputs) }

// Outputs describes the graph's outputs, in its order.
func (s *Session) Outputs() []Info { return slices.Clone(s.outputs) }

// Device is the device that the model runs on.
func (s *Session) Device() string { return s.device }
