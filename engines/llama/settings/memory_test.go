package settings

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/engines/footprint"
	"github.com/lexilingo/modelgateway/engines/llama/gguffile/gguftest"
)

// starter is the chat model that ships: 8 MiB of KV keys at 8,192 cells.
const starter = "../../../models/starter/chat.gguf"

func estimate(t *testing.T, m footprint.Model) int64 {
	t.Helper()
	n, err := EstimateMemory(m)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func llama(path string, parameters map[string]any) footprint.Model {
	p, err := structpb.NewStruct(parameters)
	if err != nil {
		panic(err)
	}
	return footprint.Model{Path: path, Parameters: p, MaxConcurrency: 4}
}

func TestGGUFCountsWeightsCellsAndBuffers(t *testing.T) {
	info, err := os.Stat(starter)
	if err != nil {
		t.Fatal(err)
	}
	small := estimate(t, llama(starter, map[string]any{"n_ctx": 1024}))
	if least := info.Size() + footprint.ProcessBytes; small <= least || small > least+64<<20 {
		t.Errorf("the estimate of a file of %d bytes is %d", info.Size(), small)
	}
	if big := estimate(t, llama(starter, map[string]any{"n_ctx": 2048})); big <= small {
		t.Errorf("a context of 2,048 needs %d, one of 1,024 %d", big, small)
	}
	endless := estimate(t, llama(starter, map[string]any{"n_ctx": 1 << 22}))
	if trained := estimate(t, llama(starter, map[string]any{"n_ctx": 1 << 21})); endless != trained {
		t.Errorf("contexts beyond the trained one count: %d, %d", endless, trained)
	}
	if batch := estimate(t, llama(starter, map[string]any{"n_ctx": 1024, "n_ubatch": 1024})); batch <= small {
		t.Errorf("a batch of 1,024 needs %d, one of 512 %d", batch, small)
	}
}

func TestBadFilesAreTyped(t *testing.T) {
	whole, err := os.ReadFile(starter)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	two := filepath.Join(dir, "two")
	empty := filepath.Join(dir, "none")
	for _, d := range []string{two, empty} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write("two/a.gguf", whole)
	write("two/b.gguf", whole)
	huge := append([]byte{}, whole[:8]...)
	huge = append(huge, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f)
	for name, c := range map[string]struct {
		path string
		want errs.Reason
	}{
		"missing":           {filepath.Join(dir, "absent.gguf"), errs.ModelFileMissing},
		"empty":             {write("empty.gguf", nil), errs.ModelFileInvalid},
		"no GGUF":           {write("text.gguf", []byte("This is a text, not a model, and long enough for a header.")), errs.ModelFileInvalid},
		"cut in the header": {write("header.gguf", whole[:3000]), errs.ModelFileInvalid},
		"absurd counts":     {write("counts.gguf", append(huge, whole[24:]...)), errs.ModelFileInvalid},
		"two in a folder":   {two, errs.ModelFileInvalid},
		"an empty folder":   {empty, errs.ModelFileMissing},
		"not a file":        {"/dev/null", errs.ModelFileInvalid},
	} {
		if _, err := EstimateMemory(llama(c.path, nil)); errs.ReasonOf(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestTooManyDimensionsAreRefused reads a header that gives the model's dimensions
// for many architectures. The server keeps a bounded number of them.
func TestTooManyDimensionsAreRefused(t *testing.T) {
	var metadata []gguftest.Value
	for i := range 1000 {
		metadata = append(metadata, gguftest.Value{Key: fmt.Sprintf("a%d.block_count", i), Value: true})
	}
	path := gguftest.Write(t, gguftest.File(metadata, nil, 0))
	if _, err := EstimateMemory(llama(path, nil)); errs.ReasonOf(err) != errs.ModelFileInvalid {
		t.Error(err)
	}
}

func TestUnreadableFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "model.gguf")
	if err := os.WriteFile(path, []byte("GGUF"), 0o000); err != nil {
		t.Fatal(err)
	}
	failed := make(chan error)
	go func() {
		// Root may read every file, so read it as the user nobody. The thread is
		// never unlocked, so it ends with the goroutine.
		runtime.LockOSThread()
		if os.Geteuid() == 0 {
			_ = unix.Setfsuid(65534)
		}
		_, err := EstimateMemory(llama(path, nil))
		failed <- err
	}()
	if err := <-failed; errs.ReasonOf(err) != errs.ModelFileInvalid || !errors.Is(err, os.ErrPermission) {
		t.Errorf("%v, want MODEL_FILE_INVALID because of its permissions", err)
	}
}

// FuzzGGUF checks that any file gets an estimate or an error.
func FuzzGGUF(f *testing.F) {
	whole, err := os.ReadFile(starter)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole[:4096])
	f.Add(whole[:64])
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "f.gguf")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		n, err := EstimateMemory(llama(path, nil))
		if err == nil && n < footprint.ProcessBytes {
			t.Errorf("estimate %d", n)
		}
	})
}
