package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"

	"github.com/lexilingo/modelgateway/server/internal/pull"
	"github.com/lexilingo/modelgateway/server/internal/whisperimport"
)

type importCommand struct {
	Folder    string  `arg:"" type:"path" help:"Folder of the model: of CTranslate2 (faster-whisper), with model.bin, or of Hugging Face, with model.safetensors; both with tokenizer.json."`
	Output    string  `short:"o" type:"path" placeholder:"FILE" help:"File to write. Default: whisper/ggml-NAME.bin in the models directory, where NAME is the name of the folder."`
	SHA256    string  `name:"sha256" placeholder:"HEX" help:"Fail unless the result has this checksum."`
	Force     bool    `help:"Replace the file if it exists."`
	Config    string  `short:"c" placeholder:"FILE" help:"Configuration file of the server, read for its models directory."`
	ModelsDir *string `placeholder:"DIR" help:"Models directory. Default: that of the server."`
}

// Help describes the command.
func (importCommand) Help() string {
	return `Converts a Whisper model, for example one that was fine-tuned, to ggml, the format of the engine
whisper. Models of OpenAI become byte for byte the files that whisper.cpp publishes. Nothing is downloaded.`
}

// imported is the result in JSON.
type imported struct {
	Path      string `json:"path"`
	SizeBytes int64  `json:"size_bytes"`
	SHA256    string `json:"sha256"`
}

// Run converts the folder.
func (c importCommand) Run(ctx context.Context, g *globals, con *console) error {
	target := c.Output
	if target == "" {
		cfg, err := serverFlags{Config: c.Config, ModelsDir: c.ModelsDir}.load()
		if err != nil {
			return usageError{err}
		}
		name := "ggml-" + filepath.Base(c.Folder) + ".bin"
		if target, err = filepath.Abs(filepath.Join(cfg.ModelsDir, "whisper", name)); err != nil {
			return err
		}
	}
	if info, err := os.Stat(c.Folder); err != nil || !info.IsDir() {
		return usageError{fmt.Errorf("%s is not a folder: name the folder that contains the model's files", c.Folder)}
	}
	if _, err := os.Stat(target); err == nil && !c.Force {
		return usageError{fmt.Errorf("%s exists already: replace it with --force, or name another file with --output", target)}
	}
	result, err := c.convert(ctx, target, g, con)
	if err != nil {
		return err
	}
	if g.JSON {
		return writeJSONValue(con.out, result)
	}
	_, err = fmt.Fprintf(con.out, "%s: %s, sha256 %s\n\nTo use it:\n\n  export WHISPER_MODEL_PATH=%s\n  modelgateway serve\n",
		result.Path, size(result.SizeBytes), result.SHA256, shellWord(result.Path))
	return err
}

// convert writes the file, which gets its name when it is complete and correct.
func (c importCommand) convert(ctx context.Context, target string, g *globals, con *console) (result imported, err error) {
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil { //nolint:gosec // models are not secret
		return result, err
	}
	out, err := renameio.NewPendingFile(target, renameio.WithPermissions(0o644), renameio.WithTempDir(filepath.Dir(target)))
	if err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, out.Cleanup()) }()
	progress := &pullProgress{con: con, json: g.JSON}
	progress.model.Name = filepath.Base(c.Folder)
	sum := sha256.New()
	err = whisperimport.Convert(ctx, os.DirFS(c.Folder), io.MultiWriter(out, sum), func(done, total int64) {
		result.SizeBytes = done
		progress.show(pull.Progress{File: filepath.Base(target), Phase: pull.Converting, Done: done, Total: total})
	})
	progress.clear()
	if err != nil {
		return result, explainFile(err, c.Folder)
	}
	result.Path, result.SHA256 = target, hex.EncodeToString(sum.Sum(nil))
	if c.SHA256 != "" && c.SHA256 != result.SHA256 {
		return result, fmt.Errorf("the result has the sha256 %s, not %s; nothing was written", result.SHA256, c.SHA256)
	}
	return result, out.CloseAtomicallyReplace()
}

// explainFile adds the folder to an error about one of its files.
func explainFile(err error, folder string) error {
	var e *fs.PathError
	if errors.As(err, &e) && !filepath.IsAbs(e.Path) {
		return fmt.Errorf("cannot read %s: %w", filepath.Join(folder, e.Path), e.Err)
	}
	return err
}

// explainImport returns the remedy of an error of "import", and false for other
// errors.
func explainImport(err error) (failure, bool) {
	var e *whisperimport.FormatError
	if !errors.As(err, &e) {
		return failure{}, false
	}
	return failure{Message: e.Message, Remedy: e.Advice, ExitCode: exitFailed}, true
}
