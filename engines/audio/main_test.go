package audio_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestMain builds decode-speech, which decodes AAC, AMR and Vorbis.
func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "audio-test-")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	program := filepath.Join(dir, "decode-speech")
	build := exec.Command("go", "build", "-o", program, "github.com/lexilingo/modelgateway/cmd/decode-speech")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "decode-speech cannot be built; set the environment with eval \"$(scripts/native.sh env)\": %v\n%s", err, out)
		return 1
	}
	if err := os.Setenv("MG_DECODE_SPEECH", program); err != nil {
		panic(err)
	}
	return m.Run()
}
