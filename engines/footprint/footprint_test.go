package footprint

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/structpb"

	"golang.org/x/sys/unix"

	"github.com/lexilingo/modelgateway/engines/errs"
)

// starter is the chat model that ships: 4 layers, 8 MiB of KV keys at 8,192 cells.
const starter = "../../models/starter/chat.gguf"

func estimate(t *testing.T, src Source) int64 {
	t.Helper()
	n, err := Estimate(src)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func llama(path string, parameters map[string]any) Source {
	p, err := structpb.NewStruct(parameters)
	if err != nil {
		panic(err)
	}
	return Source{Engine: "llama", Path: path, Parameters: p, MaxConcurrency: 4}
}

func TestGGUFCountsWeightsCellsAndBuffers(t *testing.T) {
	info, err := os.Stat(starter)
	if err != nil {
		t.Fatal(err)
	}
	small := estimate(t, llama(starter, map[string]any{"n_ctx": 1024}))
	if least := info.Size() + processBytes; small <= least || small > least+64<<20 {
		t.Errorf("estimate %d of a file of %d", small, info.Size())
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
		if _, err := Estimate(llama(c.path, nil)); errs.ReasonOf(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A header of large texts under keys that mean nothing must not lie in memory.
func TestHostileHeaderCostsNoMemory(t *testing.T) {
	const texts, size = 100, 512 << 10
	path := filepath.Join(t.TempDir(), "hostile.gguf")
	data := append([]byte("GGUF"), 3, 0, 0, 0)
	data = binary.LittleEndian.AppendUint64(data, 0)         // tensors
	data = binary.LittleEndian.AppendUint64(data, 2*texts+1) // values
	text := func(b []byte) {
		data = binary.LittleEndian.AppendUint64(data, uint64(len(b)))
		data = append(data, b...)
	}
	text([]byte("general.architecture"))
	data = binary.LittleEndian.AppendUint32(data, ggufString)
	text([]byte("llama"))
	long := make([]byte, size)
	for i := range texts {
		text(fmt.Appendf(nil, "llama.note_%d", i))
		data = binary.LittleEndian.AppendUint32(data, ggufString)
		text(long)
		text(append(fmt.Appendf(nil, "%d", i), long[:maxKeyBytes-8]...))
		data = binary.LittleEndian.AppendUint32(data, ggufUint8)
		data = append(data, 1)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	h, err := readHeader(path)
	runtime.ReadMemStats(&after)
	if err != nil || h.architecture != "llama" || h.kept() != 0 {
		t.Errorf("header %+v, %v", h, err)
	}
	if took := after.TotalAlloc - before.TotalAlloc; took > 2*readBuffer {
		t.Errorf("a header of %d bytes took %d bytes", len(data), took)
	}
}

func TestHeaderKeepsABoundedNumberOfKeys(t *testing.T) {
	data := append([]byte("GGUF"), 3, 0, 0, 0)
	data = binary.LittleEndian.AppendUint64(data, 0)
	data = binary.LittleEndian.AppendUint64(data, 1000)
	for i := range 1000 {
		key := fmt.Sprintf("a%d.block_count", i)
		data = binary.LittleEndian.AppendUint64(data, uint64(len(key)))
		data = append(data, key...)
		data = binary.LittleEndian.AppendUint32(data, ggufUint8)
		data = append(data, 1)
	}
	path := filepath.Join(t.TempDir(), "keys.gguf")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Estimate(llama(path, nil)); errs.ReasonOf(err) != errs.ModelFileInvalid {
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
		// Root may read everything: look at the file as nobody does. The thread
		// ends with the goroutine, since it is never unlocked.
		runtime.LockOSThread()
		if os.Geteuid() == 0 {
			_ = unix.Setfsuid(65534)
		}
		_, err := Estimate(llama(path, nil))
		failed <- err
	}()
	if err := <-failed; errs.ReasonOf(err) != errs.ModelFileInvalid || !errors.Is(err, os.ErrPermission) {
		t.Errorf("%v, want MODEL_FILE_INVALID for want of permission", err)
	}
}

func TestOtherEnginesGoByTheFile(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"model.onnx", "vocab.json"} {
		if err := os.WriteFile(filepath.Join(dir, name), make([]byte, 10<<20), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for engine, want := range map[string]int64{
		"mine": processBytes + 24<<20,
	} {
		if got := estimate(t, Source{Engine: engine, Path: dir}); got != want {
			t.Errorf("%s: %d, want %d", engine, got, want)
		}
	}
}

func TestFingerprintChangesWithWhatMatters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.bin")
	if err := os.WriteFile(path, []byte("weights"), 0o600); err != nil {
		t.Fatal(err)
	}
	base := llama(path, map[string]any{"n_ctx": 1024, "n_batch": 64})
	first := Fingerprint(base)
	if Fingerprint(llama(path, map[string]any{"n_batch": 64, "n_ctx": 1024})) != first {
		t.Error("the order of the settings counts")
	}
	seen := map[string]string{first: "base"}
	see := func(what string, src Source) {
		f := Fingerprint(src)
		if other, ok := seen[f]; ok {
			t.Errorf("%s has the fingerprint of %s", what, other)
		}
		seen[f] = what
	}
	see("another context", llama(path, map[string]any{"n_ctx": 2048, "n_batch": 64}))
	other := base
	other.Engine = "mine"
	see("another engine", other)
	other = base
	other.MaxConcurrency = 8
	see("more at once", other)
	if err := os.Chtimes(path, time.Unix(1, 0), time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	see("another file of that name", base)
}

// A reader of headers must survive any bytes.
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
		n, err := Estimate(llama(path, nil))
		if err == nil && n < processBytes {
			t.Errorf("estimate %d", n)
		}
	})
}
