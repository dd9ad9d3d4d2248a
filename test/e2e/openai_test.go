package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lexilingo/modelgateway/models/modelstest"
)

// OpenAI's client for Python works with the server: models, chat, streams, errors,
// transcripts in every format, and speech.
func TestOpenAIClient(t *testing.T) {
	interpreter := python(t)
	models := filepath.Dir(filepath.Dir(modelstest.Path(t, "whisper-base")))
	s := start(t, "models_dir: "+models+"\n")
	recording := filepath.Join(t.TempDir(), "clip.wav")
	if err := os.WriteFile(recording, s.say(t, readAloud).wav(), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := output(t, nil, interpreter, exampleOf(t, s.http+"/openai/v1", "# OpenAI's API", t.TempDir(), "example.py")); strings.TrimSpace(got) == "" {
		t.Error("the example prints nothing")
	}
	if got := output(t, nil, interpreter, inProject(t, "test", "e2e", "openai", "client.py"), s.http+"/openai/v1", recording); got != "ok\n" {
		t.Errorf("%q", got)
	}
}
