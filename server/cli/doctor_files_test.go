package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/lexilingo/modelgateway/engines/bundled"
)

// The doctor reads the files of the speech engines: it accepts the starter models,
// and says what is wrong with others and what to download.
func TestDoctorChecksSpeechModelFiles(t *testing.T) {
	starter, err := filepath.Abs("../../models/starter")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	place := func(from, to string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, to)), 0o700); err != nil {
			t.Fatal(err)
		}
		if from == "" {
			write(t, filepath.Join(dir, to), "<!DOCTYPE html>")
			return
		}
		data, err := os.ReadFile(filepath.Join(starter, from))
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, to), string(data))
	}
	place("whisper.bin", "ggml-good.bin")
	place("", "ggml-page.bin")
	place("voice.onnx", "good.onnx")
	place("voice.onnx.json", "good.onnx.json")
	place("voice.onnx", "alone.onnx")
	place("voice.onnx", "page.onnx")
	place("", "page.onnx.json")
	place("pronunciation.onnx", "ctc/model.onnx")
	place("pronunciation.vocab.json", "ctc/vocab.json")
	place("pronunciation.lexicon.txt", "ctc/lexicon.txt")
	place("pronunciation.onnx", "mute/model.onnx")
	place("pronunciation.onnx", "odd/onnx/model.onnx")
	place("", "odd/vocab.json")
	place("pronunciation.vocab.json", "none/vocab.json")
	for _, engine := range bundled.Engines() {
		if err := os.Symlink(filepath.Join(programs, "engine-fault"), filepath.Join(dir, engine.Program)); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(dir, "config.yaml")
	write(t, file, fmt.Sprintf(`
models_dir: %[1]s
engines_dir: %[1]s
engines:
  my-whisper: {command: [engine-whisper]} # the program says which engine it is, not the name
models:
  w-good: {engine: my-whisper, path: ggml-good.bin}
  w-page: {engine: whisper, path: ggml-page.bin}
  w-vad: {engine: whisper, path: ggml-good.bin, parameters: {vad_model: %[1]s/ggml-page.bin}}
  w-none: {engine: whisper, path: none.bin}
  p-good: {engine: piper, path: good.onnx}
  p-alone: {engine: piper, path: alone.onnx}
  p-page: {engine: piper, path: page.onnx}
  p-none: {engine: piper, path: none.onnx}
  h-good: {engine: hubert, path: ctc}
  h-mute: {engine: hubert, path: mute}
  h-odd: {engine: hubert, path: odd}
  h-none: {engine: hubert, path: none}
tasks: {}
`, dir))
	finish(t, command(t, "doctor", "--config", file, "--state-dir", t.TempDir(), "--grpc-listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0")).
		check(t, exitFailed,
			"OK   engine my-whisper", "OK   engine whisper", "OK   engine piper", "OK   engine hubert",
			"OK   model w-good", "FAIL model w-page", "FAIL model w-vad", "FAIL model w-none", "ggml-base.bin",
			"OK   model p-good", "FAIL model p-alone", "alone.onnx.json", "FAIL model p-page", "FAIL model p-none", "rhasspy/piper-voices",
			"OK   model h-good", "FAIL model h-mute", "vocab.json is missing", "FAIL model h-odd", "does not map symbols to numbers",
			"FAIL model h-none", "facebook/hubert-large-ls960-ft", "9 failed")
}
