package hubert

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lexilingo/modelgateway/engines"
	"github.com/lexilingo/modelgateway/engines/errs"
)

// badFile is a path that must not load.
type badFile struct {
	name, path string
	reason     errs.Reason
	says       string
}

// badFiles returns unusable models of every kind.
func badFiles(t *testing.T) []badFile {
	t.Helper()
	invalid, missing := errs.ModelFileInvalid, errs.ModelFileMissing
	var out []badFile
	add := func(name string, reason errs.Reason, says, onnxFile string, change func(dir string)) {
		dir := folder(t, onnxFile, published())
		if change != nil {
			change(dir)
		}
		out = append(out, badFile{name, dir, reason, says})
	}
	write := func(file, text string) func(string) {
		return func(dir string) { writeFile(t, filepath.Join(dir, file), []byte(text)) }
	}
	vocabulary := func(symbols ...string) func(string) {
		return func(dir string) { writeVocabulary(t, filepath.Join(dir, "vocab.json"), symbols) }
	}
	remove := func(file string) func(string) {
		return func(dir string) {
			if err := os.Remove(filepath.Join(dir, file)); err != nil {
				t.Fatal(err)
			}
		}
	}
	whole, err := os.ReadFile("testdata/tones.onnx")
	if err != nil {
		t.Fatal(err)
	}
	changed := func(i int, symbol string) []string {
		symbols := published()
		symbols[i] = symbol
		return symbols
	}
	add("no model in the folder", missing, "model.onnx", "tones.onnx", remove("model.onnx"))
	add("cut off", invalid, "model.onnx", "tones.onnx", write("model.onnx", string(whole[:len(whole)/2])))
	add("empty", invalid, "model.onnx", "tones.onnx", write("model.onnx", ""))
	add("garbage", invalid, "model.onnx", "tones.onnx", write("model.onnx", strings.Repeat("garbage", 100)))
	add("three dimensions in", invalid, "dimensions", "rank3.onnx", nil)
	add("a fixed length", invalid, "fixed", "fixed.onnx", nil)
	add("whole numbers in", invalid, "float32", "ids.onnx", nil)
	add("two inputs", invalid, "more", "extra.onnx", nil)
	add("two dimensions out", invalid, "no output", "flat.onnx", nil)
	add("one frame for all", invalid, "frames", "pooled.onnx", nil)
	add("no numbers", invalid, "NaN", "nan.onnx", nil)
	add("no vocabulary", missing, "vocab.json", "tones.onnx", remove("vocab.json"))
	add("garbage for a vocabulary", invalid, "JSON", "tones.onnx", write("vocab.json", "{'a': 1}"))
	add("a list for a vocabulary", invalid, "JSON", "tones.onnx", write("vocab.json", `["a", "b"]`))
	add("a huge vocabulary", invalid, "larger", "tones.onnx", write("vocab.json", strings.Repeat(" ", 5<<20)))
	add("numbers twice", invalid, "same number", "tones.onnx", func(dir string) {
		data, err := os.ReadFile(filepath.Join(dir, "vocab.json"))
		if err != nil {
			t.Fatal(err)
		}
		write("vocab.json", strings.Replace(string(data), `"E":5`, `"E":6`, 1))(dir)
	})
	add("numbers out of range", invalid, "number 32", "tones.onnx", func(dir string) {
		data, err := os.ReadFile(filepath.Join(dir, "vocab.json"))
		if err != nil {
			t.Fatal(err)
		}
		write("vocab.json", strings.Replace(string(data), `"E":5`, `"E":32`, 1))(dir)
	})
	add("too few symbols", invalid, "32 outputs", "tones.onnx", vocabulary(published()[:31]...))
	add("too many symbols", invalid, "32 outputs", "tones.onnx", vocabulary(append(published(), "!")...))
	add("no blank", invalid, "blank", "tones.onnx", vocabulary(changed(0, "!")...))
	add("pieces of words", invalid, "neither", "tones.onnx", vocabulary(changed(9, "▁the")...))
	add("phonemes without a dictionary", missing, "lexicon.txt", "tones.onnx", vocabulary(arpabet()...))
	add("a useless dictionary", invalid, "lexicon.txt", "tones.onnx", func(dir string) {
		vocabulary(arpabet()...)(dir)
		write("lexicon.txt", "CAT k æ t\n")(dir)
	})
	add("another sample rate", invalid, "8000", "tones.onnx", write("preprocessor_config.json", `{"sampling_rate": 8000}`))
	add("garbage for a preprocessor", invalid, "preprocessor_config.json", "tones.onnx", write("preprocessor_config.json", "["))
	add("ratings without the fluency", invalid, "ratings", "narrow.onnx", nil)
	add("garbage for a calibration", invalid, "calibration.json", "rated.onnx", write("calibration.json", "["))
	add("a calibration with an unknown formula", invalid, "words", "rated.onnx", write("calibration.json", `{"words": {"bias": 1}}`))
	add("a calibration with an unknown feature", invalid, "mean, worst, extra", "rated.onnx",
		write("calibration.json", `{"word": {"bias": 1, "weights": {"gop": 1}}}`))
	add("a calibration for another model", invalid, `no output "ratings"`, "tones.onnx",
		write("calibration.json", `{"unit": {"bias": 1, "weights": {"rating": 1}}}`))
	add("a calibration and more", invalid, "after", "rated.onnx", write("calibration.json", `{} {}`))
	add("a huge calibration", invalid, "1048576", "rated.onnx", write("calibration.json", strings.Repeat(" ", 2<<20)))
	return append(out,
		badFile{"absent", filepath.Join(t.TempDir(), "none.onnx"), missing, "none.onnx"},
		badFile{"another kind of file", "testdata/make_models.py", invalid, "make_models.py"},
	)
}

func TestBadFiles(t *testing.T) {
	for _, f := range badFiles(t) {
		m, err := tryLoad(t, f.path, nil)
		if err == nil {
			_ = m.Close()
			t.Errorf("%s: it loads", f.name)
			continue
		}
		if errs.ReasonOf(err) != f.reason || !strings.Contains(err.Error(), f.says) {
			t.Errorf("%s: got %v\nwant %v that says %q", f.name, err, errs.ReasonName(f.reason), f.says)
		}
	}
}

// TestLayouts loads models from the folders and files that people have.
func TestLayouts(t *testing.T) {
	tones := "testdata/tones.onnx"
	for name, make := range map[string]func(dir string) (path string, settings map[string]any){
		"a folder": func(dir string) (string, map[string]any) { return dir, nil },
		"a file":   func(dir string) (string, map[string]any) { return filepath.Join(dir, "model.onnx"), nil },
		"a preprocessor": func(dir string) (string, map[string]any) {
			writeFile(t, dir+"/preprocessor_config.json", []byte(`{"do_normalize": true, "feature_size": 1}`))
			return dir, nil
		},
		"another file": func(dir string) (string, map[string]any) {
			copyFile(t, tones, dir+"/model_int8.onnx")
			_ = os.Remove(dir + "/model.onnx")
			return dir, map[string]any{"file": "model_int8.onnx"}
		},
		"lower case": func(dir string) (string, map[string]any) {
			writeVocabulary(t, dir+"/vocab.json", lower(published()))
			return dir, nil
		},
		"a folder onnx": func(dir string) (string, map[string]any) {
			_ = os.Mkdir(dir+"/onnx", 0o755)
			_ = os.Rename(dir+"/model.onnx", dir+"/onnx/model.onnx")
			return dir, nil
		},
		"its own vocab": func(dir string) (string, map[string]any) {
			_ = os.Rename(dir+"/vocab.json", dir+"/model.vocab.json")
			return dir + "/model.onnx", nil
		},
		"added tokens": func(dir string) (string, map[string]any) { return addedTokens(t, dir), nil },
		"brackets": func(dir string) (string, map[string]any) {
			writeVocabulary(t, dir+"/vocab.json", bracketed())
			return dir, nil
		},
		"unused addition": func(dir string) (string, map[string]any) {
			writeFile(t, dir+"/added_tokens.json", []byte(`{"<more>": 32}`))
			return dir, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			path, settings := make(folder(t, "tones.onnx", published()))
			if got := summary(ask(t, load(t, path, settings), "the cat", "the cat")); got != "the cat" {
				t.Errorf("it recognises %q", got)
			}
		})
	}
}

func lower(symbols []string) []string {
	for i := range symbols {
		symbols[i] = strings.ToLower(symbols[i])
	}
	return symbols
}

func bracketed() []string {
	symbols := published()
	symbols[0], symbols[3] = "[PAD]", "[UNK]"
	return symbols
}

// addedTokens moves two symbols to a separate file, as tokenizers do.
func addedTokens(t *testing.T, dir string) string {
	t.Helper()
	ids := published()
	writeFile(t, filepath.Join(dir, "added_tokens.json"), []byte(`{"<s>": 1, "</s>": 2}`))
	var pairs []string
	for i, symbol := range ids {
		if i != 1 && i != 2 {
			pairs = append(pairs, `"`+symbol+`": `+string(rune('0'+i/10))+string(rune('0'+i%10)))
		}
	}
	text := strings.NewReplacer(": 0", ": ").Replace("{" + strings.Join(pairs, ", ") + "}")
	writeFile(t, filepath.Join(dir, "vocab.json"), []byte(text))
	return dir
}

func TestSettings(t *testing.T) {
	dir := folder(t, "tones.onnx", published())
	for name, c := range map[string]struct {
		settings map[string]any
		says     string
	}{
		"unknown key":     {map[string]any{"max_second": 1}, `"max_seconds"`},
		"out of range":    {map[string]any{"max_seconds": 1e6}, "600"},
		"a small window":  {map[string]any{"window_seconds": 1}, "5"},
		"no scale":        {map[string]any{"gop_scale": 0}, "0.01"},
		"unknown measure": {map[string]any{"gop": "best"}, "alignment-free"},
		"outside":         {map[string]any{"file": "../model.onnx"}, `"file"`},
	} {
		if _, err := tryLoad(t, dir, c.settings); errs.ReasonOf(err) != errs.InvalidRequest || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLoadCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	m, err := New().Load(ctx, engines.LoadOptions{
		Path: starter, Device: "cpu", Threads: 1, MaxConcurrency: 1, Work: &engines.WorkCounter{}, Report: func(float64) { cancel() },
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, %v; want context.Canceled", m, err)
	}
}
