package cli

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lexilingo/modelgateway/server/internal/whisperimport"
	"github.com/lexilingo/modelgateway/server/internal/whisperimport/whispertest"
)

// emptyModel is a model.bin without variables.
const emptyModel = "\x06\x00\x00\x00\x0c\x00WhisperSpec\x00\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"

func TestImportSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	folder := filepath.Join(dir, "mine")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	with := func(args ...string) result {
		t.Helper()
		return finish(t, command(t, append([]string{"import", "--models-dir", dir}, args...)...))
	}
	with("nowhere").check(t, exitUsage, "nowhere is not a folder")
	with(folder).check(t, exitFailed, "neither model.bin (CTranslate2) nor model.safetensors", "Name the folder")
	write(t, filepath.Join(folder, "model.bin"), emptyModel)
	with(folder).check(t, exitFailed, "0 encoder and 0 decoder layers")
	with(folder, "--json").check(t, exitFailed, `"exit_code":1`)
	write(t, filepath.Join(dir, "whisper", "ggml-mine.bin"), "x")
	with(folder).check(t, exitUsage, "ggml-mine.bin exists already", "--force")
	if found, err := filepath.Glob(filepath.Join(dir, "whisper", "*")); err != nil || len(found) != 1 {
		t.Errorf("files are left: %v %v", found, err)
	}
}

func TestImportWritesTheFile(t *testing.T) {
	t.Parallel()
	dir, folder := t.TempDir(), filepath.Join(t.TempDir(), "mine")
	model := whispertest.Small(51865)
	if err := os.CopyFS(folder, model.CTranslate2(whispertest.CT2Float16)); err != nil {
		t.Fatal(err)
	}
	var want bytes.Buffer
	if err := whisperimport.Convert(t.Context(), model.Transformers("F32"), &want, func(int64, int64) {}); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(want.Bytes())
	target := filepath.Join(dir, "whisper", "ggml-mine.bin")
	finish(t, command(t, "import", "--models-dir", dir, folder, "--sha256", strings.Repeat("0", 64))).
		check(t, exitFailed, "the result has the sha256", "nothing was written")
	if _, err := os.Stat(target); err == nil {
		t.Error("a file with another checksum was written")
	}
	finish(t, command(t, "import", "--models-dir", dir, folder, "--sha256", hex.EncodeToString(sum[:]))).
		check(t, exitOK, "export WHISPER_MODEL_PATH="+target, "converting ggml-mine.bin 100%")
	got, err := os.ReadFile(target)
	if err != nil || !bytes.Equal(got, want.Bytes()) {
		t.Errorf("the file differs: %v", err)
	}
	finish(t, command(t, "import", "--models-dir", dir, folder, "--force", "--json")).check(t, exitOK, `"sha256":"`+hex.EncodeToString(sum[:]))
}
