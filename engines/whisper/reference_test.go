package whisper

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/lexilingo/modelgateway/engines/whisper/whispercpp"
)

// reference is the output of whisper-cli --output-json-full.
type reference struct {
	Result        struct{ Language string }
	Transcription []referenceSegment
}

type referenceSegment struct {
	Text    string
	Offsets struct{ From, To int64 } // milliseconds
	Tokens  []referenceToken
}

type referenceToken struct {
	Text    string
	ID      int
	P       float32
	Offsets *struct{ From, To int64 } // milliseconds; nil if they are not known
}

// whisperCLI runs whisper-cli, the program of whisper.cpp, on samples at 16 kHz.
func whisperCLI(t *testing.T, model string, samples []float32, options ...string) reference {
	t.Helper()
	program := filepath.Join(os.Getenv("MG_NATIVE_TOOLS"), "whisper-cli")
	if os.Getenv("MG_NATIVE_TOOLS") == "" {
		var err error
		if program, err = exec.LookPath("whisper-cli"); err != nil {
			t.Fatalf("whisper-cli not found (%v): run make native && scripts/native.sh tools, then make test", err)
		}
	}
	model, err := filepath.Abs(model)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file, out := filepath.Join(dir, "audio.wav"), filepath.Join(dir, "out")
	if err := os.WriteFile(file, wav(samples, 16000, 1), 0o600); err != nil {
		t.Fatal(err)
	}
	var output bytes.Buffer
	cmd := exec.Command(program, append([]string{"-m", model, "-f", file, "-t", "1", "-ng", "-ojf", "-of", out, "-np"}, options...)...)
	// ggml also searches the working directory for its back ends.
	cmd.Dir = os.Getenv("MG_GGML_BACKENDS")
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Run(); err != nil {
		t.Fatalf("whisper-cli: %v\n%s", err, output.String())
	}
	data, err := os.ReadFile(out + ".json")
	if err != nil {
		t.Fatalf("%v\n%s", err, output.String())
	}
	var r reference
	if err := json.Unmarshal(data, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// compare compares segments with the reference: text, times, and each token with its
// probability and times.
func (r reference) compare(t *testing.T, got []whispercpp.Segment) {
	t.Helper()
	if len(got) != len(r.Transcription) {
		t.Errorf("%d segments, the reference has %d", len(got), len(r.Transcription))
	}
	for i, want := range r.Transcription[:min(len(got), len(r.Transcription))] {
		if err := want.differs(got[i]); err != nil {
			t.Errorf("segment %d: %v", i, err)
			return
		}
	}
}

func (want referenceSegment) differs(got whispercpp.Segment) error {
	if text := strings.ToValidUTF8(got.Text, "\uFFFD"); text != want.Text && utf8.ValidString(got.Text) {
		return fmt.Errorf("%q, the reference has %q", text, want.Text)
	}
	if 10*got.Start != want.Offsets.From || 10*got.End != want.Offsets.To {
		return fmt.Errorf("from %d to %d ms, the reference from %d to %d", 10*got.Start, 10*got.End, want.Offsets.From, want.Offsets.To)
	}
	at := 0
	for _, w := range want.Tokens {
		if at == len(got.Tokens) {
			return fmt.Errorf("%d tokens, the reference has more", at)
		}
		token := got.Tokens[at]
		// The reference prints six digits.
		if token.ID != w.ID || token.Probability-w.P > 1e-5 || w.P-token.Probability > 1e-5 {
			return fmt.Errorf("token %d is %d with %g, the reference has %d with %g", at, token.ID, token.Probability, w.ID, w.P)
		}
		text := token.Text
		for at++; at < len(got.Tokens) && splits(text); at++ { // the reference joins tokens that split a character
			text += got.Tokens[at].Text
			token.End = got.Tokens[at].End
		}
		if w.Offsets != nil && (10*token.Start != w.Offsets.From || 10*token.End != w.Offsets.To) {
			return fmt.Errorf("token %d from %d to %d ms, the reference %v", at, 10*token.Start, 10*token.End, *w.Offsets)
		}
	}
	if at != len(got.Tokens) {
		return fmt.Errorf("%d tokens, the reference has %d", len(got.Tokens), at)
	}
	return nil
}

func splits(text string) bool {
	for i := range min(len(text), utf8.UTFMax-1) {
		if b := text[len(text)-1-i]; utf8.RuneStart(b) {
			return !utf8.FullRuneInString(text[len(text)-1-i:])
		}
	}
	return false
}
