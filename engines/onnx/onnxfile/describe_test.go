package onnxfile_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/lexilingo/modelgateway/engines/onnx/onnxfile"
)

// FuzzDescribe checks that no file makes Describe panic or return more than it read.
func FuzzDescribe(f *testing.F) {
	for _, name := range []string{"double.onnx", "slow.onnx", "outside.onnx"} {
		data, err := os.ReadFile(filepath.Join("..", "testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte{0x3a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f})
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "model.onnx")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		desc, err := onnxfile.Describe(path)
		if err == nil && len(desc.Inputs)+len(desc.Outputs)+len(desc.External) > len(data) {
			t.Errorf("%d bytes give %v", len(data), desc)
		}
	})
}
