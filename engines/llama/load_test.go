package llama

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/lexilingo/modelgateway/engines"
	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/engines/llama/settings"
)

// badFile is a file that must not load, unless reason is 0.
type badFile struct {
	name   string
	path   string
	reason errs.Reason
	says   string
}

// badFiles returns unusable files of every kind, made from a good one.
func badFiles(t *testing.T) []badFile {
	t.Helper()
	good, err := os.ReadFile(starter())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	replace := func(from, to string) []byte {
		if len(from) != len(to) || !bytes.Contains(good, []byte(from)) {
			t.Fatalf("cannot make %q of %q", to, from)
		}
		return bytes.ReplaceAll(good, []byte(from), []byte(to))
	}
	counts := bytes.Clone(good)
	binary.LittleEndian.PutUint64(counts[8:], 1<<60) // tensors
	binary.LittleEndian.PutUint64(counts[16:], 1<<60)
	garbled := bytes.Clone(good)
	for i := 24; i < 4096; i++ {
		garbled[i] ^= 0x5a
	}
	loop := filepath.Join(dir, "loop.gguf")
	if err := os.Symlink(loop, loop); err != nil {
		t.Fatal(err)
	}
	invalid := errs.ModelFileInvalid
	return []badFile{
		{"missing", filepath.Join(dir, "none.gguf"), errs.ModelFileMissing, "does not exist"},
		{"empty", write("empty.gguf", nil), invalid, "empty"},
		{"three bytes", write("three.gguf", good[:3]), invalid, "ends after 3 bytes"},
		{"another kind of file", write("text.gguf", []byte("This is not a model.")), invalid, "not a GGUF file"},
		{"a folder", dir, invalid, "folder"},
		{"unreadable", loop, invalid, "make it readable"},
		{"header cut off", write("head.gguf", good[:1000]), invalid, "fetch it again"},
		{"weights cut off", write("cut.gguf", good[:len(good)-1000]), invalid, "fetch it again"},
		{"absurd counts", write("counts.gguf", counts), invalid, "fetch it again"},
		{"garbled header", write("garbled.gguf", garbled), invalid, ""},
		{"unknown architecture", write("arch.gguf", replace("qwen3", "qwenX")), invalid, "qwenX"},
		{"missing tensor", write("tensor.gguf", replace("output_norm.weight", "output_mron.weight")), invalid, "llama.cpp says"},
		{"a part of another kind", write("kind.gguf", replace("general.license", "general.type123")), 0, ""},
	}
}

func TestBadFiles(t *testing.T) {
	for _, f := range badFiles(t) {
		t.Run(f.name, func(t *testing.T) {
			m, err := tryLoad(f.path, nil)
			if f.reason == 0 {
				// A harmless change shows that the others do not fail because of
				// any change.
				if err != nil {
					t.Fatal(err)
				}
				_ = m.Close()
				return
			}
			if err == nil {
				_ = m.Close()
				t.Fatal("it loads")
			}
			if errs.ReasonOf(err) != f.reason || !strings.Contains(err.Error(), f.says) || !namesFile(err, f.path) {
				t.Errorf("got %v\nwant %v that says %q and names the file without its folder", err, errs.ReasonName(f.reason), f.says)
			}
		})
	}
}

func TestLoadCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	m, err := sharedEngine.Load(ctx, engines.LoadOptions{
		Path: starter(), Device: "cpu", Threads: 1, MaxConcurrency: 1,
		Report: func(float64) { cancel() },
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, %v; want context.Canceled", m, err)
	}
}

func TestSettings(t *testing.T) {
	for name, c := range map[string]struct {
		settings map[string]any
		device   string
		reason   errs.Reason
		says     string
	}{
		"unknown key":     {map[string]any{"n_ctxx": 1}, "cpu", errs.InvalidRequest, `"n_ctx"`},
		"out of range":    {map[string]any{"n_ctx": 1}, "cpu", errs.InvalidRequest, "from 256"},
		"unknown mode":    {map[string]any{"load_mode": "mmap"}, "cpu", errs.InvalidRequest, `"map"`},
		"broken template": {map[string]any{"chat_template": "{% for %}"}, "cpu", errs.ModelFileInvalid, "chat_template"},
		"absent device":   {nil, "npu", errs.EngineUnavailable, "use cpu"},
	} {
		t.Run(name, func(t *testing.T) {
			parameters, err := structpb.NewStruct(c.settings)
			if err != nil {
				t.Fatal(err)
			}
			m, err := sharedEngine.Load(t.Context(), engines.LoadOptions{
				Path: starter(), Device: c.device, Threads: 1, MaxConcurrency: 1, Parameters: parameters,
			})
			if err == nil {
				_ = m.Close()
				t.Fatal("it loads")
			}
			if errs.ReasonOf(err) != c.reason || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want %v that says %s", err, errs.ReasonName(c.reason), c.says)
			}
		})
	}
	for name, c := range map[string]struct {
		p           settings.Parameters
		accelerated bool
		want        int
	}{
		"CPU":           {settings.Parameters{Batch: 2048}, false, 128},
		"accelerator":   {settings.Parameters{Batch: 2048}, true, 512},
		"own":           {settings.Parameters{Batch: 2048, MicroBatch: 64}, true, 64},
		"small batches": {settings.Parameters{Batch: 96}, false, 96},
	} {
		if got := c.p.MicroBatchOn(c.accelerated); got != c.want {
			t.Errorf("%s: micro-batches of %d tokens, want %d", name, got, c.want)
		}
	}
	// A mapped file and a template of the configuration work as well.
	m := load(t, starter(), map[string]any{"load_mode": "map", "parallel": 1, "chat_template": "{{ messages[0].content }}"})
	prompt, err := m.prompt(task{messages: conversation("", "Hello")})
	if err != nil || len(prompt.Tokens) == 0 || len(prompt.Tokens) > 5 {
		t.Errorf("the template of the configuration gave %v, %v", prompt, err)
	}
}

// namesFile reports whether an error has the name of a file, and not its folder, which
// is no business of callers.
func namesFile(err error, path string) bool {
	folder, name := filepath.Split(path)
	return strings.Contains(err.Error(), name) && !strings.Contains(err.Error(), folder)
}
