package doctor

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

// checkFiles checks the files of a speech model as its engine does before it
// reads the weights. The files of chat models are checked by the estimate.
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

// checkWhisper checks a whisper.cpp model and its voice activity model, if one is
// configured.
func checkWhisper(m config.Model) error {
	if _, err := modelfile.Check(m.ResolvedPath); err != nil {
		return err
	}
	if vad, _ := m.Parameters["vad_model"].(string); vad != "" {
		return modelfile.CheckVAD(whispersettings.Parameters{VADModel: vad}.VADPath(m.ResolvedPath))
	}
	return nil
}

// checkHubert checks the ONNX file and the vocabulary of a CTC model.
func checkHubert(m config.Model) error {
	model, vocabulary := hubertFiles(m)
	if err := checkReadable(model); err != nil {
		return errs.New(errs.ReasonOf(err), "%s %s", filepath.Base(model), errs.From(err).Message())
	}
	text, err := os.ReadFile(vocabulary)
	if err != nil {
		return errs.New(errs.ModelFileMissing, "vocab.json is missing or cannot be read").WithCause(err)
	}
	var symbols map[string]int
	if err := json.Unmarshal(text, &symbols); err != nil || len(symbols) == 0 {
		return errs.New(errs.ModelFileInvalid, "vocab.json does not map symbols to numbers").WithCause(err)
	}
	return nil
}

// hubertFiles returns where the files of a CTC model are: in its directory, or
// beside its ONNX file.
func hubertFiles(m config.Model) (model, vocabulary string) {
	path := m.ResolvedPath
	if info, err := os.Stat(path); err != nil || !info.IsDir() {
		dir := filepath.Dir(path)
		own := strings.TrimSuffix(path, ".onnx") + ".vocab.json"
		return path, firstExisting(own, filepath.Join(dir, "vocab.json"))
	}
	file, _ := m.Parameters["file"].(string)
	if file == "" {
		file = hubertsettings.Defaults().File
	}
	model = firstExisting(filepath.Join(path, file), filepath.Join(path, "onnx", file))
	return model, firstExisting(filepath.Join(path, "vocab.json"), filepath.Join(filepath.Dir(model), "vocab.json"))
}

// firstExisting returns the first path that exists, or the first path if none
// does.
func firstExisting(paths ...string) string {
	for _, p := range paths {
		if _, err := os.Stat(p); err == nil {
			return p
		}
	}
	return paths[0]
}

// downloadAdvice returns which file to download for a model of the engine; empty
// for engines that are not part of this repository.
func downloadAdvice(engine string) string {
	switch engine {
	case bundled.Llama:
		return `Download a chat model in GGUF format: "modelgateway pull qwen3-1.7b-q8_0" downloads Qwen3-1.7B-Q8_0.gguf.`
	case bundled.Whisper:
		return `Download a whisper.cpp model: "modelgateway pull whisper-base" downloads ggml-base.bin.`
	case bundled.Piper:
		return `Download a voice and its .onnx.json: "modelgateway pull en_US-norman-medium" downloads one of rhasspy/piper-voices.`
	case bundled.Hubert:
		return `Download a CTC model in ONNX format and its vocab.json: "modelgateway pull hubert-large-ls960-ft" downloads an export of facebook/hubert-large-ls960-ft.`
	}
	return ""
}
