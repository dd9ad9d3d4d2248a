package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"

	"github.com/lexilingo/modelgateway/engines/bundled"
	"github.com/lexilingo/modelgateway/engines/errs"
	hubertsettings "github.com/lexilingo/modelgateway/engines/hubert/settings"
	"github.com/lexilingo/modelgateway/engines/piper/voicefile"
	"github.com/lexilingo/modelgateway/engines/whisper/modelfile"
	whispersettings "github.com/lexilingo/modelgateway/engines/whisper/settings"
	"github.com/lexilingo/modelgateway/server/internal/config"
)

// checkFiles looks a speech model's files over as its engine does before it reads
// the weights. Chat models' are looked at by the estimate.
func checkFiles(m config.Model, command []string) error {
	switch bundled.NameOf(command) {
	case bundled.Whisper:
		return checkWhisper(m)
	case bundled.Piper:
		voice, err := voicefile.Find(m.ResolvedPath)
		if err == nil {
			_, err = voicefile.Read(voice.Config, voice.Name)
		}
		return err
	case bundled.Hubert:
		return checkHubert(m)
	}
	return nil
}

// checkWhisper checks a model of whisper.cpp and the one that finds speech in
// audio, if it is configured.
func checkWhisper(m config.Model) error {
	if _, err := modelfile.Check(m.ResolvedPath); err != nil {
		return err
	}
	if vad, _ := m.Parameters["vad_model"].(string); vad != "" {
		return modelfile.CheckVAD(whispersettings.Parameters{VADModel: vad}.VADPath(m.ResolvedPath))
	}
	return nil
}

// checkHubert finds the ONNX file and the vocabulary of a CTC model, in its
// folder or beside it.
func checkHubert(m config.Model) error {
	model, vocabulary := hubertFiles(m)
	if err := openable(model); err != nil {
		return errs.New(errs.ReasonOf(err), "%s: %s", filepath.Base(model), errs.From(err).Message())
	}
	text, err := os.ReadFile(vocabulary)
	if err != nil {
		return errs.New(errs.ModelFileMissing, "its vocab.json is not there, or cannot be read").WithCause(err)
	}
	var symbols map[string]int
	if err := json.Unmarshal(text, &symbols); err != nil || len(symbols) == 0 {
		return errs.New(errs.ModelFileInvalid, "its vocab.json is no table of symbols").WithCause(err)
	}
	return nil
}

func hubertFiles(m config.Model) (model, vocabulary string) {
	path := m.ResolvedPath
	if info, err := os.Stat(path); err != nil || !info.IsDir() {
		dir := filepath.Dir(path)
		own := strings.TrimSuffix(path, ".onnx") + ".vocab.json"
		return path, firstThere(own, filepath.Join(dir, "vocab.json"))
	}
	file, _ := m.Parameters["file"].(string)
	if file == "" {
		file = hubertsettings.Defaults().File
	}
	model = firstThere(filepath.Join(path, file), filepath.Join(path, "onnx", file))
	return model, firstThere(filepath.Join(path, "vocab.json"), filepath.Join(filepath.Dir(model), "vocab.json"))
}

// firstThere is the first path that leads to something; the first if none does.
func firstThere(paths ...string) string {
	for _, p := range paths {
		if _, err := os.Stat(p); err == nil {
			return p
		}
	}
	return paths[0]
}

// published says which file to get for an engine; empty for those of others.
func published(engine string) string {
	switch engine {
	case bundled.Llama:
		return `Get a chat model in GGUF: "modelgateway pull qwen3-1.7b-q8_0" fetches Qwen3-1.7B-Q8_0.gguf.`
	case bundled.Whisper:
		return `Get a model of whisper.cpp: "modelgateway pull whisper-base" fetches ggml-base.bin.`
	case bundled.Piper:
		return `Get a voice and its .onnx.json: "modelgateway pull en_US-norman-medium" fetches one of rhasspy/piper-voices.`
	case bundled.Hubert:
		return `Get a CTC model as ONNX with its vocab.json: "modelgateway pull hubert-large-ls960-ft" fetches an export of facebook/hubert-large-ls960-ft.`
	}
	return ""
}
