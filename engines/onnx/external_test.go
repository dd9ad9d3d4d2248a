package onnx

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/lexilingo/modelgateway/engines/errs"
)

// TestExternalData checks that weights in the model's folder are read, and that existing
// weights elsewhere are refused.
func TestExternalData(t *testing.T) {
	outer := t.TempDir()
	dir, away := filepath.Join(outer, "model"), filepath.Join(outer, "away")
	weights := []byte{0, 0, 128, 63, 0, 0, 0, 64} // 1 and 2
	for _, folder := range []string{dir, away} {
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{filepath.Join(dir, "beside.bin"), filepath.Join(outer, "outside.bin"), filepath.Join(away, "away.bin")} {
		if err := os.WriteFile(path, weights, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	link(t, filepath.Join(away, "away.bin"), filepath.Join(dir, "link.bin"))
	for name, want := range map[string]errs.Reason{
		"beside.onnx": 0, "outside.onnx": errs.ModelFileInvalid, "absolute.onnx": errs.ModelFileInvalid,
		"link.onnx": errs.ModelFileInvalid, "address.onnx": errs.ModelFileMissing,
	} {
		expectExternal(t, copyModel(t, name, dir), want)
	}
	if err := os.Remove(filepath.Join(dir, "beside.bin")); err != nil {
		t.Fatal(err)
	}
	expectExternal(t, filepath.Join(dir, "beside.onnx"), errs.ModelFileMissing)
}

// TestExternalDataOfHubs checks a hub's cache, in which the model and its weights are
// links to files in one other folder.
func TestExternalDataOfHubs(t *testing.T) {
	outer := t.TempDir()
	blobs, snapshot := filepath.Join(outer, "blobs"), filepath.Join(outer, "snapshot")
	for _, folder := range []string{blobs, snapshot} {
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(blobs, "5eed"), []byte{0, 0, 128, 63, 0, 0, 0, 64}, 0o600); err != nil {
		t.Fatal(err)
	}
	link(t, copyModel(t, "beside.onnx", blobs), filepath.Join(snapshot, "model.onnx"))
	link(t, filepath.Join(blobs, "5eed"), filepath.Join(snapshot, "beside.bin"))
	expectExternal(t, filepath.Join(snapshot, "model.onnx"), 0)
}

func link(t *testing.T, target, name string) {
	t.Helper()
	if err := os.Symlink(target, name); err != nil {
		t.Fatal(err)
	}
}

func copyModel(t *testing.T, name, dir string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// expectExternal loads a model, and runs it if want is 0.
func expectExternal(t *testing.T, path string, want errs.Reason) {
	t.Helper()
	s, err := openRuntime(t).Load(t.Context(), path, Options{Threads: 1})
	if err != nil || want != 0 {
		if err == nil || errs.ReasonOf(err) != want {
			t.Errorf("%s: %v", filepath.Base(path), err)
		}
		return
	}
	defer s.Close()
	got, err := s.Run(t.Context(), map[string]Tensor{"x": Floats([]float32{10, 20}, 2)})
	if err != nil || !slices.Equal(got["y"].Float32, []float32{11, 22}) {
		t.Errorf("%s computes %v, %v", filepath.Base(path), got, err)
	}
}
