package llama

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/lexilingo/modelgateway/engines"
	"github.com/lexilingo/modelgateway/engines/llama/batching"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/models/modelstest"
)

// conversations returns conversations without the text of any special token of the
// model.
func conversations() [][]*gatewayv1.ChatMessage {
	return [][]*gatewayv1.ChatMessage{
		conversation("", "Hello"),
		conversation("You are a tutor.\nBe brief.", "How are you today?"),
		conversation("", strings.Repeat("The learner writes a long text about the weather. ", 40)),
		conversation("You are a tutor.", "  Xin chào! \"Bạn\" khỏe không?\n\n", "I am fine.", "She go to school <b>yesterday</b>."),
		conversation("Đây là câu ví dụ 👩‍👩‍👧.", "\n\nleading lines\tand tabs  ", "Yes.", "a", "b", "1 < 2 and 3 > 2 [x] {{ y }} {% z %} |"),
	}
}

func referenceMessages(messages []*gatewayv1.ChatMessage) []map[string]string {
	var out []map[string]string
	for _, m := range messages {
		role, _ := roleName(m.GetRole())
		out = append(out, map[string]string{"role": role, "content": m.GetContent()})
	}
	return out
}

// transcriptOf returns the prompt for a model whose file has no template.
func transcriptOf(messages []*gatewayv1.ChatMessage) string {
	speakers := map[gatewayv1.Role]string{gatewayv1.Role_ROLE_USER: "User: ", gatewayv1.Role_ROLE_ASSISTANT: "Assistant: "}
	var b strings.Builder
	for _, m := range messages {
		b.WriteString(speakers[m.GetRole()] + m.GetContent() + "\n\n")
	}
	return b.String() + "Assistant:"
}

// fresh returns a model with the same weights and an empty cache.
func (m *model) fresh(t *testing.T) *model {
	t.Helper()
	backend, err := sharedEngine.backend()
	if err != nil {
		t.Fatal(err)
	}
	f, err := newModel(backend, m.weights, m.parameters, engines.LoadOptions{Device: "cpu", Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		f.scheduler.Close()
		f.context.Close()
	})
	return f
}

// recorder records the tokens that a sampler chooses.
type recorder struct {
	batching.Sampler
	tokens []batching.Token
}

func (r *recorder) Sample(index int) batching.Token {
	t := r.Sampler.Sample(index)
	r.tokens = append(r.tokens, t)
	return t
}

// tokens generates an answer and returns its tokens.
func (m *model) tokens(t *testing.T, prompt []batching.Token, o *gatewayv1.SamplingOptions) []batching.Token {
	t.Helper()
	chooser, err := m.weights.NewSampler(sampling(m.sampling, o, 0))
	if err != nil {
		t.Fatal(err)
	}
	r := &recorder{Sampler: sampler{Sampler: chooser, context: m.context}}
	if _, err := m.scheduler.Generate(t.Context(), batching.Request{
		Prompt: prompt, MaxTokens: int(o.GetMaxTokens()), Sampler: r,
	}, func(batching.Output) error { return nil }); err != nil {
		t.Error(err)
	}
	return r.tokens
}

// TestParity compares with llama-server on the starter and on published models.
func TestParity(t *testing.T) {
	t.Run("starter", func(t *testing.T) { testParity(t, starter(), len(conversations()), 96) })
	// Short, because these models are slower. The prompts of all conversations are compared.
	t.Run("SmolLM2", func(t *testing.T) { testParity(t, modelstest.Path(t, "smollm2-135m-instruct"), 3, 24) })
	t.Run("gemma", func(t *testing.T) { testParity(t, modelstest.Path(t, "gemma3-270m"), 3, 24) })
}

// sameBatches are the parameters that make the engine compute in the same batches as
// llama-server, so that numbers are rounded in the same way.
var sameBatches = map[string]any{"n_ubatch": 512, "draft_tokens": 0}

// testParity compares the prompts of all conversations, and answers to the first ones.
func testParity(t *testing.T, path string, answered int, maxTokens int32) {
	ref := startReference(t, path)
	m := load(t, path, sameBatches)
	var prompts [][]batching.Token
	for i, c := range conversations() {
		prompt, err := m.prompt(task{messages: c})
		if err != nil {
			t.Fatal(err)
		}
		text := transcriptOf(c)
		if !prompt.Transcript {
			text = ref.template(referenceMessages(c))
		}
		if want := ref.tokenize(text); !slices.Equal(prompt.Tokens, want) {
			t.Fatalf("conversation %d: tokens\n%v\nllama-server's\n%v", i, prompt.Tokens, want)
		}
		prompts = append(prompts, prompt.Tokens)
	}
	prompts = prompts[:answered]
	expected := func(options map[string]any) (out []referenceAnswer) {
		for _, p := range prompts {
			options["n_predict"], options["cache_prompt"] = maxTokens, false
			a, err := ref.complete(p, options)
			if err != nil || len(a.Tokens) == 0 {
				t.Fatalf("llama-server's answer has %d tokens: %v", len(a.Tokens), err)
			}
			out = append(out, a)
		}
		return out
	}
	compare := func(t *testing.T, i int, got, want []batching.Token) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("conversation %d: generated\n%v\nllama-server\n%v", i, got, want)
		}
	}
	greedyAnswers := expected(map[string]any{"temperature": 0})

	// Without cached tokens, which change how numbers are rounded.
	t.Run("alone", func(t *testing.T) {
		for i, p := range prompts {
			compare(t, i, m.fresh(t).tokens(t, p, greedy(maxTokens)), greedyAnswers[i].Tokens)
		}
	})
	t.Run("sampled", func(t *testing.T) {
		want := expected(map[string]any{
			"temperature": 0.9, "top_k": 30, "top_p": 0.9, "min_p": 0.02, "seed": 42,
			"repeat_penalty": 1.1, "presence_penalty": 0.5, "frequency_penalty": 0.2, "repeat_last_n": penaltyWindow,
		})
		o := &gatewayv1.SamplingOptions{
			Temperature: proto.Float32(0.9), TopK: proto.Int32(30), TopP: proto.Float32(0.9), MinP: proto.Float32(0.02),
			Seed: proto.Uint32(42), RepeatPenalty: proto.Float32(1.1), PresencePenalty: proto.Float32(0.5),
			FrequencyPenalty: proto.Float32(0.2), MaxTokens: proto.Int32(maxTokens),
		}
		for i, p := range prompts {
			compare(t, i, m.fresh(t).tokens(t, p, o), want[i].Tokens)
		}
	})
	// The rows of a batch are rounded differently from a single one, and so are tokens
	// after a cached prefix.
	t.Run("batched", func(t *testing.T) {
		answers := make([][]batching.Token, len(prompts))
		var group sync.WaitGroup
		for i, p := range prompts {
			group.Go(func() { answers[i] = m.tokens(t, p, greedy(maxTokens)) })
		}
		group.Wait()
		for i, p := range prompts {
			if err := ref.follows(p, answers[i]); err != nil {
				t.Errorf("conversation %d: %v", i, err)
			}
		}
	})
	t.Run("cached", func(t *testing.T) {
		for i, p := range prompts {
			if err := ref.follows(p, m.tokens(t, p, greedy(maxTokens))); err != nil {
				t.Errorf("conversation %d: %v", i, err)
			}
		}
	})
	t.Run("drafted", func(t *testing.T) {
		drafting := load(t, path, nil)
		copies := conversation("You repeat what the user says.", strings.Repeat("The black cat sat on the old mat. ", 8), strings.Repeat("The black cat sat on the old mat. ", 8), "Again!")
		repeated, err := drafting.prompt(task{messages: copies})
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range append(prompts, repeated.Tokens) {
			if err := ref.follows(p, drafting.tokens(t, p, greedy(maxTokens))); err != nil {
				t.Errorf("conversation %d: %v", i, err)
			}
		}
	})
	t.Run("chat", func(t *testing.T) {
		for i, c := range conversations()[:answered] {
			got := mustChat(t, m.fresh(t), &gatewayv1.ChatRequest{Messages: c, Sampling: greedy(maxTokens)})
			text, completion := ref.chat(c, maxTokens)
			if m.prompter.Fallback() != "" {
				// llama-server's chat is in ChatML, which such a model does not know.
				text, completion = ref.continueTranscript(prompts[i], maxTokens)
			}
			if got.text != text || got.usage.GetPromptTokenCount() != int32(len(prompts[i])) || got.usage.GetCompletionTokenCount() != completion {
				t.Errorf("conversation %d: %q %v\nllama-server: %q, %d tokens", i, got.text, got.usage, text, completion)
			}
		}
	})
}

func TestPrefixReuse(t *testing.T) {
	m := load(t, starter(), nil)
	system := strings.Repeat("You are a patient tutor. ", 40)
	ask := func(user string) chatAnswer {
		return mustChat(t, m, &gatewayv1.ChatRequest{Messages: conversation(system, user), Sampling: greedy(8)})
	}
	first := ask("Tell me about rivers.")
	if n := first.usage.GetCachedPromptTokenCount(); n != 0 {
		t.Errorf("the first request reused %d tokens", n)
	}
	same := ask("Tell me about rivers.")
	if got, want := same.usage.GetCachedPromptTokenCount(), same.usage.GetPromptTokenCount()-1; got != want {
		t.Errorf("the same request reused %d tokens, want all but the last, %d", got, want)
	}
	if same.text != first.text {
		t.Errorf("with the cache: %q, without: %q", same.text, first.text)
	}
	other := ask("And mountains?")
	prefix := int32(len(m.vocab.Tokenize(system, false, false)))
	if got := other.usage.GetCachedPromptTokenCount(); got < prefix {
		t.Errorf("another user with the same system prompt reused %d tokens of %d", got, prefix)
	}

	// Concurrent users share the prefix that the first of them computes.
	fresh := load(t, starter(), nil)
	var group sync.WaitGroup
	usages := make([]*gatewayv1.Usage, 4)
	for i := range usages {
		group.Go(func() {
			a, err := chat(t.Context(), fresh, &gatewayv1.ChatRequest{
				Messages: conversation(system, fmt.Sprintf("Question %d", i)), Sampling: greedy(8),
			})
			if err != nil {
				t.Error(err)
			}
			usages[i] = a.usage
		})
	}
	group.Wait()
	cold := 0
	for _, u := range usages {
		if u.GetCachedPromptTokenCount() < prefix {
			cold++
		}
	}
	if cold != 1 {
		t.Errorf("%d of 4 users computed the system prompt, want 1: %v", cold, usages)
	}
}
