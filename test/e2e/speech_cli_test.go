package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// The command line gives the same results for speech as gRPC, with files and with
// pipes.
func TestSpeechOnTheCommandLine(t *testing.T) {
	s := start(t, speechModels)
	cli := func(args ...string) string {
		t.Helper()
		return output(t, nil, program(t), append([]string{"--addr", s.grpc}, args...)...)
	}
	file := filepath.Join(t.TempDir(), "said.wav")
	cli("synthesize", "--noise-scale=0", "--noise-w=0", "-o", file, readAloud)
	said, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if want := s.say(t, readAloud).wav(); string(said) != string(want) {
		t.Errorf("%d bytes, want %d as over gRPC", len(said), len(want))
	}
	res, err := s.transcribe(within(t, patience), &gatewayv1.TranscriptionConfig{Language: "en"}, said, 64<<10)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.TrimSpace(res.GetTranscript().GetText())
	if got := strings.TrimSuffix(cli("transcribe", "--language=en", file), "\n"); got != want {
		t.Errorf("a file: %q, want %q", got, want)
	}
	piped := output(t, nil, "sh", "-c", `"$0" --addr "$1" synthesize --noise-scale=0 --noise-w=0 "$2" | "$0" --addr "$1" transcribe --language=en -`, program(t), s.grpc, readAloud)
	squeeze := strings.NewReplacer(" ", "", "\n", "")
	if squeeze.Replace(piped) != squeeze.Replace(want) {
		t.Errorf("a pipe: %q, want %q", piped, want)
	}
	if got := cli("pronounce", file, "--text", readAloud); !strings.Contains(got, "overall ") || strings.Count(got, "\n") < len(strings.Fields(readAloud)) {
		t.Errorf("pronounce: %s", got)
	}
}
