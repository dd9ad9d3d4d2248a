package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestVariablesOfThePythonGatewayFindFiles(t *testing.T) {
	dir := t.TempDir()
	for _, f := range []string{
		"models/qwen3-1.7b/model.gguf", "models/Qwen3-1.7B-Q8_0.gguf", "models/Qwen3-1.7Bx.gguf",
		"models/two/Qwen3-4B-Q4.gguf", "models/two/Qwen3-4B-Q8.gguf",
		"models/whisper/ggml-small.bin", "models/piper/en_US-amy-low.onnx", "models/hubert-x/model.onnx",
	} {
		write(t, filepath.Join(dir, f), "x")
	}
	cases := []struct {
		env   []string
		model string
		want  string // below dir
	}{
		{[]string{"QWEN_MODEL_PATH=models/qwen3-1.7b"}, "qwen", "models/qwen3-1.7b/model.gguf"},
		{[]string{"QWEN_MODEL_PATH=qwen3-1.7b"}, "qwen", "models/qwen3-1.7b/model.gguf"},
		{[]string{"QWEN_MODEL_PATH=" + filepath.Join(dir, "models/Qwen3-1.7Bx.gguf")}, "qwen", "models/Qwen3-1.7Bx.gguf"},
		{[]string{"QWEN_MODEL_PATH=models/absent.gguf"}, "qwen", "models/models/absent.gguf"},
		{[]string{"QWEN_MODEL_ID=Qwen/Qwen3-1.7B"}, "qwen", "models/Qwen3-1.7B-Q8_0.gguf"},
		{[]string{"QWEN_MODEL_PATH=models/absent", "QWEN_MODEL_ID=qwen/qwen3-1.7b"}, "qwen", "models/Qwen3-1.7B-Q8_0.gguf"},
		{[]string{"QWEN_MODEL_PATH=models/qwen3-1.7b", "QWEN_MODEL_ID=Qwen/Qwen2.5-1.5B-Instruct"}, "qwen", "models/qwen3-1.7b/model.gguf"},
		{[]string{"QWEN_MODEL_ID=Qwen/Qwen2.5-1.5B-Instruct"}, "qwen", "models/Qwen2.5-1.5B-Instruct.gguf"},
		{[]string{"QWEN_MODEL_PATH=two"}, "qwen", "models/two"}, // it cannot be one of the two files
		{[]string{"WHISPER_MODEL_SIZE=small"}, "whisper", "models/whisper/ggml-small.bin"},
		{[]string{"WHISPER_MODEL_SIZE=small", "WHISPER_MODEL_PATH=models/whisper"}, "whisper", "models/whisper/ggml-small.bin"},
		{[]string{"WHISPER_MODEL_PATH=models/whisper"}, "whisper", "models/whisper/ggml-base.bin"},
		{[]string{"WHISPER_MODEL_SIZE=base.en"}, "whisper", "models/whisper/ggml-base.en.bin"},
		{[]string{"WHISPER_MODEL_SIZE=large-v3-turbo", "WHISPER_MODEL_PATH=models/whisper"}, "whisper", "models/whisper/ggml-large-v3-turbo.bin"},
		{[]string{"PIPER_VOICE=en_US-amy-low"}, "piper", "models/piper/en_US-amy-low.onnx"},
		{[]string{"PIPER_MODEL_PATH=models/piper", "PIPER_VOICE=en_US-amy-low"}, "piper", "models/piper/en_US-amy-low.onnx"},
		{[]string{"HUBERT_MODEL_ID=facebook/hubert-x"}, "hubert", "models/hubert-x"},
	}
	t.Chdir(dir)
	for _, c := range cases {
		cfg, err := Load(Source{Environ: c.env})
		if err != nil {
			t.Errorf("%v: %v", c.env, err)
			continue
		}
		if got := cfg.Models[c.model].ResolvedPath; got != filepath.Join(dir, c.want) {
			t.Errorf("%v: %s", c.env, got)
		}
	}
}

func TestAnIDThatMatchesSeveralFilesIsAnError(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "models/Qwen3-4B-Q4.gguf", "x")
	write(t, "models/Qwen3-4B-Q8.gguf", "x")
	_, err := Load(Source{Environ: []string{"QWEN_MODEL_ID=Qwen/Qwen3-4B"}})
	if err == nil || !strings.Contains(err.Error(), "Qwen3-4B-Q4.gguf, Qwen3-4B-Q8.gguf") {
		t.Errorf("error %v", err)
	}
}

func TestAnotherFileIsNotTheStarter(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "models/q.gguf", "x")
	cfg, err := Load(Source{Environ: []string{"QWEN_MODEL_PATH=q.gguf"}})
	if err != nil {
		t.Fatal(err)
	}
	if m := cfg.Models["qwen"]; m.Note != "" || m.MemoryMB != 0 || strings.HasPrefix(m.ResolvedPath, cfg.starterDir()) {
		t.Errorf("the starter's note or size stayed: %+v", m)
	}
}

func TestStarterIsInTheStateDirectory(t *testing.T) {
	t.Chdir(t.TempDir())
	dir := t.TempDir()
	cfg, err := Load(Source{Flags: Overrides{StateDir: &dir}})
	if err != nil {
		t.Fatal(err)
	}
	if got := cfg.Models["qwen"].ResolvedPath; got != filepath.Join(dir, "starter", "chat.gguf") || !cfg.usesStarter() {
		t.Errorf("path %s", got)
	}
	if _, err := os.Stat(cfg.starterDir()); err == nil {
		t.Error("reading the configuration wrote files")
	}
}
