package audio

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
)

// unreadable checks that data cannot be read, and that the error says why.
func unreadable(t *testing.T, data []byte, why string) {
	t.Helper()
	_, err := ReadAll(t.Context(), nil, data, Limits{})
	if errs.ReasonOf(err) != errs.AudioUnreadable || !strings.Contains(err.Error(), why) {
		t.Errorf("%v, want %q", err, why)
	}
}

// A program that never answers is ended.
func TestNativeDecoderHangs(t *testing.T) {
	program := filepath.Join(t.TempDir(), "hang")
	if out, err := exec.Command("go", "build", "-o", program, "./testdata/hang").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Setenv(decodeVariable, program)
	before := nativeTimeout
	defer func() { nativeTimeout = before }()
	nativeTimeout = 100 * time.Millisecond
	data, err := os.ReadFile("testdata/narrow.amr")
	if err != nil {
		t.Fatal(err)
	}
	unreadable(t, data, "gave no answer for 100ms")
}

// The end of a program is not the end of the recording.
func TestNativeDecoderEnds(t *testing.T) {
	t.Setenv(decodeVariable, "/bin/false")
	for _, name := range []string{"narrow.amr", "stereo-44k.mp4", "adts.aac", "vorbis.ogg", "vorbis.webm"} {
		data, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		unreadable(t, data, "cannot be decoded")
	}
}

// A header starts no program, and the number of programs for a stream is limited.
func TestNativeDecoderLimits(t *testing.T) {
	data, err := os.ReadFile("testdata/narrow.amr")
	if err != nil {
		t.Fatal(err)
	}
	unreadable(t, bytes.Repeat(data, maxNativeFiles+1), "more than 20 files")
	t.Setenv(decodeVariable, "/none/decode-speech")
	unreadable(t, bytes.Repeat([]byte(amrMagic), 3), "no frame")
	unreadable(t, bytes.Repeat([]byte(amrMagic), 1000), "more than 20 files")
}
