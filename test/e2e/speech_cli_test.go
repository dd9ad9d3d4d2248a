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
	encodedFiles(t, cli, seconds(t, said))
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

// encodedFiles checks that a file has the encoding of its name, and the whole speech.
func encodedFiles(t *testing.T, cli func(args ...string) string, want float64) {
	t.Helper()
	dir := t.TempDir()
	for name, c := range map[string]struct {
		magic string
		flag  string
		slack float64 // in seconds
	}{
		"said.mp3":  {"\xff", "--bitrate=48000", 0.03},
		"said.opus": {"OggS", "--bitrate=24000", 0.02},
		"said.ogg":  {"OggS", "--encoding=auto", 0.02},
		"said.flac": {"fLaC", "--rate=16000", 0.001},
		"said":      {"fLaC", "--encoding=flac", 0.001},
	} {
		file := filepath.Join(dir, name)
		cli("synthesize", "--noise-scale=0", "--noise-w=0", c.flag, "-o", file, readAloud)
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got := seconds(t, data); !strings.HasPrefix(string(data), c.magic) || got < want-0.001 || got > want+c.slack {
			t.Errorf("%s: %.3f s in %d bytes: %.4q; want %.3f s", name, got, len(data), data, want)
		}
	}
}
