package e2e

import (
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// brokenFile is an invalid model file.
type brokenFile struct {
	// data is its content; nil: the file does not exist.
	data []byte
	// beside has the files next to it. The key is the suffix that replaces the
	// suffix of the file's name.
	beside map[string][]byte
	// fifo: it is a pipe that is never written to. folder: it is a folder.
	fifo, folder bool
	want         errs.Reason
}

// engineFiles has the invalid files for an engine.
type engineFiles struct {
	engine, extension string
	files             map[string]brokenFile
	// ask makes a request to the model.
	ask func(ctx context.Context, s *server, model string) error
}

// model returns the name in the configuration of the model with a file.
func (e *engineFiles) model(file string) string {
	return e.engine + "-" + strings.NewReplacer(" ", "-", "^", "-").Replace(file)
}

// starter reads a starter model.
func starter(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, "models", "starter", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// scrambled returns a copy with other bytes in a range.
func scrambled(data []byte, from, to int) []byte {
	out := append([]byte(nil), data...)
	for i := from; i < to; i++ {
		out[i] ^= byte(i) | 1
	}
	return out
}

// damaged returns copies of a file that are damaged in ways that apply to any
// format.
func damaged(good []byte, beside map[string][]byte) map[string]brokenFile {
	out := map[string]brokenFile{
		"truncated": {data: good[:len(good)/2]},
		"header":    {data: good[:100]},
		"empty":     {data: []byte{}},
		"text":      {data: []byte("<!DOCTYPE html><html>404</html>")},
		"fifo":      {fifo: true},
		"missing":   {want: errs.ModelFileMissing},
	}
	for name, f := range out {
		f.beside = beside
		if f.want == 0 {
			f.want = errs.ModelFileInvalid
		}
		out[name] = f
	}
	return out
}

// with adds invalid files, with the files that are next to the valid one.
func with(files map[string]brokenFile, beside map[string][]byte, more map[string][]byte) map[string]brokenFile {
	for name, data := range more {
		files[name] = brokenFile{data: data, beside: beside, want: errs.ModelFileInvalid}
	}
	return files
}

func llamaFiles(t *testing.T) engineFiles {
	good := starter(t, "chat.gguf")
	hostile := append([]byte(nil), good...)
	binary.LittleEndian.PutUint64(hostile[16:], 1<<62) // number of metadata entries
	return engineFiles{
		engine: "llama", extension: ".gguf",
		files: with(damaged(good, nil), nil, map[string][]byte{
			"hostile":   hostile,
			"scrambled": scrambled(good, 4096, 65536),
			"wrongarch": []byte(strings.ReplaceAll(string(good), "qwen3", "qwenX")),
			"otherkind": starter(t, "whisper.bin"),
		}),
		ask: func(ctx context.Context, s *server, model string) error {
			_, err := s.models.Chat(ctx, &gatewayv1.ChatRequest{Messages: user("Hello"), Model: model})
			return err
		},
	}
}

func whisperFiles(t *testing.T) engineFiles {
	good := starter(t, "whisper.bin")
	// The magic number is followed by the sizes of vocabulary, audio context, state,
	// heads and layers; the same for the text; mel bands; the type of the weights.
	// Then come the sizes of the filters, the filters, and the number of tokens.
	const vocabulary, state, heads, layers, weights, bands = 4, 12, 16, 20, 44, 48
	le := binary.LittleEndian
	word := 56 + 4*int(le.Uint32(good[bands:]))*int(le.Uint32(good[bands+4:]))
	number := func(at int, n uint32) []byte { return patched(good, at, le.AppendUint32(nil, n)...) }
	return engineFiles{
		engine: "whisper", extension: ".bin",
		files: with(damaged(good, nil), nil, map[string][]byte{
			"vocabulary of 2^30": number(vocabulary, 1<<30),
			"negative state":     number(state, 1<<31),
			"state of 2^28":      number(state, 1<<28),
			"no heads":           number(heads, 0),
			"layers of 2^20":     number(layers, 1<<20),
			"unknown weights":    number(weights, 99),
			"bands of 2^31":      number(bands, 1<<31),
			"word of 4 GiB":      number(word+4, 1<<32-1),
			"scrambled words":    scrambled(good, word, word+65536),
			"otherkind":          starter(t, "chat.gguf"),
		}),
		ask: func(ctx context.Context, s *server, model string) error {
			_, err := s.recognize(ctx, &gatewayv1.TranscriptionConfig{Model: model}, wav(16000, tone(16000, 1, 0.5)))
			return err
		},
	}
}

// onnxLies returns files that declare more data than they have: a model whose
// graph has 2 GiB, or a length that does not fit into 64 bits.
func onnxLies(good []byte) map[string][]byte {
	head := []byte{0x08, 0x08} // ir_version: 8
	return map[string][]byte{
		"graph of 2 GiB":  append(append(head[:2:2], 0x3a, 0xff, 0xff, 0xff, 0xff, 0x07), good...),
		"endless length":  append(append(head[:2:2], 0x3a), []byte(strings.Repeat("\xff", 64))...),
		"nothing but ir":  head,
		"scrambled graph": scrambled(good, 8, len(good)/2),
	}
}

func piperFiles(t *testing.T) engineFiles {
	good, config := starter(t, "voice.onnx"), starter(t, "voice.onnx.json")
	beside := map[string][]byte{".onnx.json": config}
	files := with(damaged(good, beside), beside, onnxLies(good))
	files["otherkind"] = brokenFile{data: starter(t, "pronunciation.onnx"), beside: beside, want: errs.ModelFileInvalid}
	for name, text := range map[string]string{
		"config half":         string(config[:len(config)/2]),
		"config empty":        "",
		"config of no kind":   "[]",
		"config rate of 0":    strings.Replace(string(config), `"sample_rate": `, `"sample_rate": 0, "x": `, 1),
		"config rate of 10^9": strings.Replace(string(config), `"sample_rate": `, `"sample_rate": 1000000000, "x": `, 1),
		"config deep":         strings.Repeat(`{"audio":`, 100000),
	} {
		if text == string(config) {
			t.Fatalf("%s did not change the file", name)
		}
		files[name] = brokenFile{data: good, beside: map[string][]byte{".onnx.json": []byte(text)}, want: errs.ModelFileInvalid}
	}
	files["config missing"] = brokenFile{data: good, want: errs.ModelFileMissing}
	return engineFiles{
		engine: "piper", extension: ".onnx", files: files,
		ask: func(ctx context.Context, s *server, model string) error {
			req := quiet("Hello.")
			req.Model = model
			_, err := s.synthesize(ctx, req)
			return err
		},
	}
}

func hubertFiles(t *testing.T) engineFiles {
	good, vocabulary := starter(t, "pronunciation.onnx"), starter(t, "pronunciation.vocab.json")
	dictionary := starter(t, "pronunciation.lexicon.txt")
	beside := map[string][]byte{".vocab.json": vocabulary, ".lexicon.txt": dictionary}
	files := with(damaged(good, beside), beside, onnxLies(good))
	files["otherkind"] = brokenFile{data: starter(t, "voice.onnx"), beside: beside, want: errs.ModelFileInvalid}
	files["folder"] = brokenFile{folder: true, want: errs.ModelFileMissing}
	for name, text := range map[string]string{
		"vocab half":         string(vocabulary[:len(vocabulary)/2]),
		"vocab empty":        "",
		"vocab of no kind":   "[]",
		"vocab too large":    strings.Replace(string(vocabulary), `"ZH": 39`, `"ZH": 2000000000`, 1),
		"vocab negative":     strings.Replace(string(vocabulary), `"ZH": 39`, `"ZH": -1`, 1),
		"vocab for others":   `{"<pad>": 0, "a": 1}`,
		"vocab of fractions": strings.Replace(string(vocabulary), `"ZH": 39`, `"ZH": 38.5`, 1),
	} {
		files[name] = brokenFile{data: good, beside: map[string][]byte{".vocab.json": []byte(text)}, want: errs.ModelFileInvalid}
	}
	files["vocab missing"] = brokenFile{data: good, want: errs.ModelFileMissing}
	files["dictionary missing"] = brokenFile{data: good, beside: map[string][]byte{".vocab.json": vocabulary}, want: errs.ModelFileMissing}
	for name, text := range map[string]string{
		"calibration empty":     "",
		"calibration deep":      strings.Repeat(`{"unit":`, 100000),
		"calibration of others": `{"word": {"weights": {"gop": 1}}}`,
	} {
		these := map[string][]byte{".vocab.json": vocabulary, ".lexicon.txt": dictionary, ".calibration.json": []byte(text)}
		files[name] = brokenFile{data: good, beside: these, want: errs.ModelFileInvalid}
	}
	return engineFiles{
		engine: "hubert", extension: ".onnx", files: files,
		ask: func(ctx context.Context, s *server, model string) error {
			_, err := s.models.Pronunciation(ctx, &gatewayv1.PronunciationRequest{
				Model: model, Audio: wav(16000, tone(16000, 1, 0.5)), ReferenceText: "hello",
			})
			return err
		},
	}
}

// put writes an invalid file and returns its path.
func (f *brokenFile) put(t *testing.T, extension string) string {
	t.Helper()
	dir := t.TempDir() // each file has its own neighbours
	path := filepath.Join(dir, "model"+extension)
	write := func(path string, data []byte) {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for end, data := range f.beside {
		write(filepath.Join(dir, "model"+end), data)
	}
	switch {
	case f.fifo:
		if err := syscall.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
	case f.folder:
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
	case f.data != nil:
		write(path, f.data)
	}
	return path
}

// An invalid file fails its own model with a clear error, for every engine; the
// other models keep answering.
func TestInvalidModelFiles(t *testing.T) {
	all := []engineFiles{llamaFiles(t), whisperFiles(t), piperFiles(t), hubertFiles(t)}
	config, tasks, _ := strings.Cut(speechModels, "tasks:")
	for _, e := range all {
		for _, name := range slices.Sorted(maps.Keys(e.files)) {
			f := e.files[name]
			config += fmt.Sprintf("  %s: {engine: %s, path: %q, memory_mb: 128, threads: 1}\n", e.model(name), e.engine, f.put(t, e.extension))
		}
	}
	s := start(t, config+"tasks:"+tasks)
	beside := s.answerBeside(t)
	for _, e := range all {
		t.Run(e.engine, func(t *testing.T) {
			stream := midStream(t, s)
			for _, name := range slices.Sorted(maps.Keys(e.files)) {
				model := e.model(name)
				err := e.ask(within(t, patience), s, model)
				if got := errs.From(err); got == nil || got.Reason() != e.files[name].want || got.Message() == "" {
					t.Errorf("%s: %v, want %s", model, err, errs.ReasonName(e.files[name].want))
				}
				if pid := s.model(t, model).GetWorkerPid(); pid != 0 {
					t.Errorf("%s left process %d", model, pid)
				}
			}
			for range 20 {
				if _, err := stream.Recv(); err != nil {
					t.Fatalf("the request to the other model: %v", err)
				}
			}
		})
	}
	if n := beside(); n < 3 {
		t.Errorf("%d other requests were answered meanwhile", n)
	}
}
