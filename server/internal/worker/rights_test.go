package worker

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"google.golang.org/protobuf/types/known/structpb"

	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	"github.com/lexilingo/modelgateway/internal/isolate"
)

// tree makes files, and links that end with the path that they point to.
func tree(t *testing.T, dir string, files []string, links map[string]string) {
	t.Helper()
	for _, file := range files {
		path := filepath.Join(dir, file)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, nil, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	for link, target := range links {
		path := filepath.Join(dir, link)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.Symlink(filepath.Join(dir, target), path)); err != nil {
			t.Fatal(err)
		}
	}
}

// A worker may read what belongs to its engine and its model, and no folder that has
// more than that.
func TestPolicy(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("HOME", filepath.Join(dir, "home"))
	t.Setenv("TMPDIR", filepath.Join(dir, "tmp"))
	tree(t, dir, []string{
		"bin/engine", "models/a.gguf", "models/b.gguf", "hub/blobs/1", "hub/blobs/2", "hub/blobs/3", "home/secret", "tmp/other",
		"home/model-00001-of-00002.gguf", "home/model-00002-of-00002.gguf", "home/key",
		"venv/pyvenv.cfg", "venv/lib/python3.11/x.py", "python/bin/python3.11", "python/lib/python3.11/os.py",
		"code/engine.py", "data/words", "lib/x.so",
	}, map[string]string{
		"hub/snapshot/model.onnx": "hub/blobs/1", "hub/snapshot/onnx/vocab.json": "hub/blobs/2",
		"hub/snapshot/key": "home/key", "hub/snapshot/home": "home", "current": "hub/snapshot", "venv/bin/python3": "python/bin/python3.11",
	})
	at := func(names ...string) []string {
		var paths []string
		for _, name := range names {
			paths = append(paths, filepath.Join(dir, name))
		}
		return paths
	}
	h := &Host{private: at("home/key")}
	for name, c := range map[string]struct {
		command    []string
		env        []string
		model      string
		parameters map[string]any
		rights     isolate.Policy
		want       []string
	}{
		"a file":             {command: at("bin/engine"), model: "models/a.gguf", want: at("bin", "models")},
		"a file in a home":   {command: at("bin/engine"), model: "home/model-00001-of-00002.gguf", want: at("bin", "home/model-00001-of-00002.gguf", "home/model-00002-of-00002.gguf")},
		"the hub's cache":    {command: at("bin/engine"), model: "hub/snapshot", want: at("bin", "hub/snapshot", "hub/blobs/1", "hub/blobs/2")},
		"a folder by a link": {command: at("bin/engine"), model: "current", want: at("bin", "current", "hub/blobs/1", "hub/blobs/2")},
		"the home itself":    {command: at("bin/engine"), model: "home", want: at("bin")},
		"the root":           {command: at("bin/engine"), parameters: map[string]any{"x": "/"}, model: "models/a.gguf", want: at("bin", "models")},
		"the temporary folder": {
			command: at("bin/engine"), env: []string{"X=" + filepath.Join(dir, "tmp")}, model: "models/a.gguf", want: at("bin", "models"),
		},
		"Python": {
			command: at("venv/bin/python3", "code/engine.py"), model: "models/a.gguf",
			want: at("venv/bin", "python/bin", "venv", "venv/lib", "python/lib", "code", "models"),
		},
		"parameters and variables": {
			command: at("bin/engine"), env: []string{"X=" + filepath.Join(dir, "lib") + ":relative"}, model: "models/a.gguf",
			parameters: map[string]any{"files": []any{filepath.Join(dir, "data", "words"), 3}}, want: at("bin", "lib", "models", "data"),
		},
		"rights": {command: at("bin/engine"), model: "models/a.gguf", rights: isolate.Policy{Network: true, Read: at("data")}, want: at("bin", "models", "data")},
	} {
		parameters, err := structpb.NewStruct(c.parameters)
		if err != nil {
			t.Fatal(err)
		}
		s := Spec{
			Command: c.command, Env: c.env, Rights: c.rights,
			Load: &enginev1.LoadRequest{Path: filepath.Join(dir, c.model), Parameters: parameters},
		}
		got := h.policy(s, c.command[0], append([]string{"PATH=" + filepath.Join(dir, "home")}, c.env...), "/own")
		if !slices.Equal(got.Read, c.want) {
			t.Errorf("%s: it may read %q, want %q", name, got.Read, c.want)
		}
		if got.Network != c.rights.Network || !slices.Equal(got.Write, []string{"/own"}) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// Where the server was started does not decide what is private.
func TestPrivatePathsMayBeRelative(t *testing.T) {
	dir := t.TempDir()
	tree(t, dir, []string{"bin/engine", "key"}, nil)
	t.Chdir(dir)
	h, err := NewHost(Options{Private: []string{"key", ""}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = h.Close() }()
	g := granted{private: h.private}
	if !g.isPrivate(dir) || g.isPrivate(filepath.Join(dir, "bin")) {
		t.Errorf("private: %v", h.private)
	}
}
