package e2e

import (
	"path/filepath"
	"testing"

	"github.com/lexilingo/modelgateway/models/modelstest"
)

// OpenAI's client for Python gets forms and calls of functions in a chat, responses (text,
// streams, forms, calls and errors), and transcripts of speech while it is spoken.
func TestOpenAISessions(t *testing.T) {
	interpreter := python(t)
	models := filepath.Dir(filepath.Dir(modelstest.Path(t, "whisper-base")))
	s := start(t, "models_dir: "+models+"\n")
	run := func(t *testing.T, name string, args ...string) {
		t.Helper()
		args = append([]string{inProject(t, "test", "e2e", "openai", name), s.http + "/openai/v1"}, args...)
		if got := output(t, nil, interpreter, args...); got != "ok\n" {
			t.Errorf("%q", got)
		}
	}
	t.Run("chat", func(t *testing.T) { run(t, "chat.py") })
	t.Run("responses", func(t *testing.T) { run(t, "responses.py") })
	t.Run("realtime", func(t *testing.T) { run(t, "realtime.py", modelstest.Speech(t)) })
}
