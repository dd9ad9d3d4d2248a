package footprint

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"

	parser "github.com/gpustack/gguf-parser-go"

	"github.com/lexilingo/modelgateway/engines/errs"
)

// The settings of engine-llama that change its memory, and what they are by
// default.
const (
	defaultContext = 8192
	defaultBatch   = 512
)

// gguf estimates a GGUF model from its header: the weights, which are mapped
// and become resident as they are used, the KV cells of the whole context, and
// the compute buffers of one batch.
func gguf(src Source, size int64) (int64, error) {
	name := filepath.Base(src.Path)
	if info, err := os.Stat(src.Path); err == nil && info.IsDir() {
		files, _ := filepath.Glob(filepath.Join(src.Path, "*.gguf"))
		return 0, errs.New(errs.ModelFileInvalid, "the model's folder %s holds %d .gguf files; it must hold one, or the path must name one", name, len(files))
	}
	file, err := parse(src.Path)
	if err != nil {
		return 0, errs.New(errs.ModelFileInvalid, "the model's file %s is no usable GGUF file; fetch it again", name).WithCause(err)
	}
	estimate, err := run(file, src)
	if err != nil {
		return 0, errs.New(errs.ModelFileInvalid, "the model's file %s is of no architecture that can be estimated", name).WithCause(err)
	}
	device := estimate.Devices[0]
	kv := int64(device.KVCache.Sum())
	compute := int64(device.Computation.Input + device.Computation.Compute + device.Computation.Output)
	return processBytes + size + kv + compute, nil
}

// parse reads a header. Files come from anywhere: a parser's panic, or a file
// that shrinks while it is mapped, is the file's fault and harms nothing else.
func parse(path string) (file *parser.GGUFFile, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the header cannot be read: %v", p)
		}
	}()
	return parser.ParseGGUFFile(path, parser.UseMMap(), parser.SkipLargeMetadata())
}

// run estimates on the CPU; memory of other devices has budgets of its own.
func run(file *parser.GGUFFile, src Source) (estimate parser.LLaMACppRunEstimate, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the estimate failed: %v", p)
		}
	}()
	estimate = file.EstimateLLaMACppRun(
		parser.WithLLaMACppContextSize(number(src, "n_ctx", defaultContext)),
		parser.WithLLaMACppPhysicalBatchSize(number(src, "n_ubatch", defaultBatch)),
		parser.WithParallelSize(int32(max(1, src.MaxConcurrency))), //nolint:gosec // a number of requests
		parser.WithLLaMACppOffloadLayers(0),
	)
	if len(estimate.Devices) == 0 {
		return estimate, fmt.Errorf("no device in the estimate")
	}
	return estimate, nil
}

// number reads a positive setting.
func number(src Source, key string, otherwise int32) int32 {
	if v := src.Parameters.GetFields()[key].GetNumberValue(); v >= 1 && v <= 1<<30 {
		return int32(v)
	}
	return otherwise
}
