package llama

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/lexilingo/modelgateway/engines/llama/batching"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// conversations returns conversations without the text of any special token of the
// model.
func conversations() [][]*gatewayv1.ChatMessage {
	return [][]*gatewayv1.ChatMessage{
		conversation("", "Hello"),
		conversation("You are a tutor.\nBe brief.", "How are you today?"),
		conversation("You are a tutor.", "  Xin chào! \"Bạn\" khỏe không?\n\n", "I am fine.", "She go to school <b>yesterday</b>."),
		conversation("Đây là câu ví dụ 👩‍👩‍👧.", "\n\nleading lines\tand tabs  ", "Yes.", "a", "b", "1 < 2 and 3 > 2 [x] {{ y }} {% z %} |"),
		conversation("", strings.Repeat("The learner writes a long text about the weather. ", 40)),
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
	}, func(string) error { return nil }); err != nil {
		t.Error(err)
	}
	return r.tokens
}

func TestParity(t *testing.T) {
	ref := startReference(t, starter())
	m := load(t, starter(), nil)
	var prompts [][]batching.Token
	for i, c := range conversations() {
		prompt, err := m.prompt(task{messages: c})
		if err != nil {
			t.Fatal(err)
		}
		want := ref.tokenize(ref.template(referenceMessages(c)))
		if !slices.Equal(prompt.Tokens, want) {
			t.Fatalf("conversation %d: tokens\n%v\nllama-server's\n%v", i, prompt.Tokens, want)
		}
		prompts = append(prompts, prompt.Tokens)
	}

	const maxTokens = 96
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
	greedyAnswers := expected(map[string]any{"temperature": 0, "n_probs": 2})

	t.Run("alone", func(t *testing.T) {
		for i, p := range prompts {
			compare(t, i, m.tokens(t, p, greedy(maxTokens)), greedyAnswers[i].Tokens)
		}
	})
	t.Run("batched", func(t *testing.T) {
		// The rows of a batch are rounded differently from a single one, which can
		// decide a tie.
		var group sync.WaitGroup
		certain, all := 0, 0
		for _, a := range greedyAnswers {
			certain, all = certain+a.certain(), all+len(a.Tokens)
		}
		if certain < all/2 {
			t.Fatalf("only %d of %d choices come before a tie: this model is not suitable for the test", certain, all)
		}
		for i, p := range slices.Concat(prompts, prompts) {
			want := greedyAnswers[i%len(prompts)]
			group.Go(func() {
				got := m.tokens(t, p, greedy(maxTokens))
				n := want.certain()
				compare(t, i, got[:min(n, len(got))], want.Tokens[:n])
			})
		}
		group.Wait()
	})
	t.Run("chat", func(t *testing.T) {
		for i, c := range conversations() {
			var want struct {
				Choices []struct{ Message struct{ Content string } }
				Usage   struct {
					Prompt     int32 `json:"prompt_tokens"`
					Completion int32 `json:"completion_tokens"`
				}
			}
			if err := ref.post("/v1/chat/completions", map[string]any{
				"messages": referenceMessages(c), "temperature": 0, "max_tokens": maxTokens,
				"chat_template_kwargs": map[string]bool{"enable_thinking": false},
			}, &want); err != nil {
				t.Fatal(err)
			}
			got := mustChat(t, m, &gatewayv1.ChatRequest{Messages: c, Sampling: greedy(maxTokens)})
			if got.text != want.Choices[0].Message.Content || got.usage.GetPromptTokenCount() != want.Usage.Prompt ||
				got.usage.GetCompletionTokenCount() != want.Usage.Completion {
				t.Errorf("conversation %d: %q %v\nllama-server: %+v", i, got.text, got.usage, want)
			}
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
			// Long prompts are computed in other parts than llama-server's and so
			// rounded differently. That can change a random choice, but not the most
			// likely token.
			if len(p) <= shortPrompt {
				compare(t, i, m.tokens(t, p, o), want[i].Tokens)
			}
		}
	})
}

// shortPrompt is the length of a prompt that both programs compute in one part.
const shortPrompt = 256

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
