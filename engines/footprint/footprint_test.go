package footprint

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/lexilingo/modelgateway/engines/errs"
)

func TestGenericCountsAllFilesOfAFolder(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"model.onnx", "vocab.json"} {
		if err := os.WriteFile(filepath.Join(dir, name), make([]byte, 10<<20), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := Generic(Model{Path: dir}); got != ProcessBytes+24<<20 || err != nil {
		t.Errorf("got %d, %v; want %d", got, err, ProcessBytes+24<<20)
	}
}

func TestErrorsOfFilesHaveReasons(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty.bin")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]errs.Reason{
		filepath.Join(dir, "none.bin"): errs.ModelFileMissing,
		t.TempDir():                    errs.ModelFileMissing, // an empty folder
		empty:                          errs.ModelFileInvalid,
		"/dev/null":                    errs.ModelFileInvalid,
	} {
		if _, err := Generic(Model{Path: path}); errs.ReasonOf(err) != want {
			t.Errorf("%s: got %v, want %s", path, err, errs.ReasonName(want))
		}
	}
}

func TestFingerprintChangesWithWhatMatters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.bin")
	if err := os.WriteFile(path, []byte("weights"), 0o600); err != nil {
		t.Fatal(err)
	}
	model := func(parameters map[string]any) Model {
		p, err := structpb.NewStruct(parameters)
		if err != nil {
			t.Fatal(err)
		}
		return Model{Path: path, Parameters: p, MaxConcurrency: 4}
	}
	base := model(map[string]any{"n_ctx": 1024, "n_batch": 64})
	first := Fingerprint("llama", base)
	if Fingerprint("llama", model(map[string]any{"n_batch": 64, "n_ctx": 1024})) != first {
		t.Error("the order of the parameters changes the fingerprint")
	}
	seen := map[string]string{first: "base"}
	check := func(what, engine string, m Model) {
		f := Fingerprint(engine, m)
		if other, ok := seen[f]; ok {
			t.Errorf("%s has the fingerprint of %s", what, other)
		}
		seen[f] = what
	}
	check("another context", "llama", model(map[string]any{"n_ctx": 2048, "n_batch": 64}))
	check("another engine", "mine", base)
	other := base
	other.MaxConcurrency = 8
	check("more requests at the same time", "llama", other)
	if err := os.Chtimes(path, time.Unix(1, 0), time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	check("another file with the same name", "llama", base)
}
