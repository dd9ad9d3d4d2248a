package llama

import (
	"strings"
	"testing"

	"github.com/lexilingo/modelgateway/engines/llama/settings"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/models/modelstest"
)

// TestSamplingOfFamilies checks which sampling files of known families get, from the
// metadata that llama.cpp reads.
func TestSamplingOfFamilies(t *testing.T) {
	for _, c := range []struct {
		name, model string // published; empty: the starter
		parameters  map[string]any
		want        settings.Sampling
	}{
		{"starter, a Qwen3", "", nil, settings.Sampling{Temperature: 0.7, TopP: 0.8, TopK: 20, RepeatPenalty: 1, PresencePenalty: 1.5}},
		{"its parameters", "", map[string]any{"temperature": 0.5, "presence_penalty": 0}, settings.Sampling{Temperature: 0.5, TopP: 0.8, TopK: 20, RepeatPenalty: 1}},
		{"SmolLM2", "smollm2-135m-instruct", nil, settings.Sampling{Temperature: 0.2, TopP: 0.9, TopK: 50, RepeatPenalty: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := starter()
			if c.model != "" {
				path = modelstest.Path(t, c.model)
			}
			if got := load(t, path, c.parameters).sampling; got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
}

// TestBaseModelEndsItsAnswer checks that a model without a chat template does not write
// the user's next turn, and that it fills the shape of a grammar.
func TestBaseModelEndsItsAnswer(t *testing.T) {
	m := load(t, modelstest.Path(t, "gemma3-270m"), nil)
	got := mustChat(t, m, &gatewayv1.ChatRequest{Messages: conversation("", "What is the capital of France?"), Sampling: greedy(64)})
	if got.finish != gatewayv1.FinishReason_FINISH_REASON_STOP || !strings.Contains(got.text, "Paris") ||
		got.text != strings.TrimSpace(got.text) || strings.Contains(got.text, "User:") {
		t.Errorf("%v: %q", got.finish, got.text)
	}
	resp, err := m.Grammar(t.Context(), &gatewayv1.GrammarRequest{Text: "She have two book."})
	if err != nil || resp.GetCorrectedText() == "" {
		t.Errorf("Grammar: %v, %v", resp, err)
	}
}
