package e2e

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/models/modelstest"
)

// What Kennedy says in whisper.cpp's sample.
const kennedy = "And so my fellow Americans, ask not what your country can do for you, ask what you can do for your country."

// A newcomer's first minutes: with downloaded models beside the built-in
// configuration, the server understands a person, and itself in a person's voice.
func TestDownloadedModelsServe(t *testing.T) {
	whisper, voice := modelstest.Path(t, "whisper-base"), modelstest.Path(t, "en_US-joe-medium")
	dir := filepath.Dir(filepath.Dir(whisper))
	s := start(t, "models_dir: "+dir+"\n")
	cli := func(args ...string) string {
		t.Helper()
		return strings.TrimSpace(output(t, nil, program(t), append([]string{"--addr", s.grpc}, args...)...))
	}
	module, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/ggerganov/whisper.cpp/bindings/go").Output()
	if err != nil {
		t.Fatal(err)
	}
	clip := filepath.Join(strings.TrimSpace(string(module)), "samples", "jfk.wav")
	if got := cli("transcribe", clip); letters(got) != letters(kennedy) {
		t.Errorf("heard %q", got)
	}
	said := filepath.Join(t.TempDir(), "said.wav")
	cli("synthesize", "-o", said, kennedy)
	if got := cli("transcribe", said); letters(got) != letters(kennedy) {
		t.Errorf("of the downloaded voice, heard %q", got)
	}
	for name, file := range map[string]string{"whisper": whisper, "piper": voice} {
		m := s.model(t, name)
		if m.GetState() != gatewayv1.ModelState_MODEL_STATE_READY || !strings.Contains(m.GetNote(), filepath.Base(file)+" was found") {
			t.Errorf("%s is %s: %s", name, m.GetState(), m.GetNote())
		}
	}
}

// letters returns the letters of a text in lower case.
func letters(text string) string {
	return strings.Map(func(r rune) rune {
		if r < 'a' || r > 'z' {
			return -1
		}
		return r
	}, strings.ToLower(text))
}
