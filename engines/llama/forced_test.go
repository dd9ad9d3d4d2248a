package llama

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lexilingo/modelgateway/engines"
	"github.com/lexilingo/modelgateway/engines/jsongrammar"
	"github.com/lexilingo/modelgateway/engines/llama/batching"
	"github.com/lexilingo/modelgateway/engines/tutor"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// counting counts the steps of answers, the batches that do not begin with a prompt, and
// what they compute. Its clock is the same on every machine.
type counting struct {
	executor
	steps, computed int
	now             time.Time
}

func (c *counting) Decode(inputs []batching.Input) (batching.Outcome, error) {
	if inputs[0].Output {
		c.steps++
		c.computed += len(inputs)
	}
	c.now = c.now.Add(10*time.Millisecond + time.Duration(len(inputs)-1)*2*time.Millisecond)
	return c.executor.Decode(inputs)
}

// unforced does not say what the grammar forces.
type unforced struct{ batching.Sampler }

func (unforced) Forced() (string, batching.Token) { return "", batching.NoToken }

// constrained is a request with a grammar.
type constrained struct {
	messages []*gatewayv1.ChatMessage
	grammar  string
	limit    int
}

// grammarRequests are sentences to correct.
func grammarRequests() (out []constrained) {
	for _, text := range []string{
		"My brother go to school by bus every morning.", "She have two younger sister.", "The teacher don't like eat vegetable.",
		"He want to learning English.", "I was went to Da Nang last summer.", "He is work in a company since three years.",
		"I can to speak English very good.", "She always come home late.",
	} {
		req := &gatewayv1.GrammarRequest{Text: text}
		out = append(out, constrained{tutor.GrammarMessages(req), tutor.GrammarGBNF(req), int(tutor.GrammarSampling(req).GetMaxTokens())})
	}
	return out
}

// schemaRequests are answers as JSON of several shapes.
func schemaRequests(t *testing.T) (out []constrained) {
	t.Helper()
	for _, schema := range []string{
		`{"type":"object","properties":{"first_name":{"type":"string","maxLength":20},"family_name":{"type":"string","maxLength":20},
			"native_language":{"enum":["Vietnamese","English","French"]},"is_beginner":{"type":"boolean"}},
			"required":["first_name","family_name","native_language","is_beginner"]}`,
		`{"type":"object","properties":{"vocabulary":{"type":"array","minItems":2,"maxItems":3,"items":{"type":"object",
			"properties":{"word":{"type":"string","maxLength":12},"translation":{"type":"string","maxLength":12},"difficulty":{"type":"integer","minimum":1,"maximum":5}},
			"required":["word","translation","difficulty"]}}},"required":["vocabulary"]}`,
		`{"type":"object","properties":{"câu_hỏi":{"type":"string","maxLength":30},"answers":{"type":"array","minItems":2,"maxItems":2,"items":{"type":"string","maxLength":20}},
			"correct":{"type":"integer","minimum":0,"maximum":1}},"required":["câu_hỏi","answers","correct"]}`,
		`{"const":{"status":"nothing to correct","notes":[]}}`,
		`{"type":"string","maxLength":40}`,
	} {
		grammar, err := jsongrammar.Schema(schema, "x")
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{"Give me an example.", "Hello! My name is Lan and I learn English."} {
			out = append(out, constrained{conversation("", text), grammar, 300})
		}
	}
	return out
}

// answers are the answers to requests, and what they took.
type answers struct {
	texts                       []string
	completion, steps, computed int
	ended                       int // not cut
}

// answerAll answers each request in a scheduler of its own.
func (m *model) answerAll(t *testing.T, requests []constrained, force bool, drafts int) (out answers) {
	t.Helper()
	for _, r := range requests {
		prompt, err := m.prompt(task{messages: r.messages})
		if err != nil {
			t.Fatal(err)
		}
		options := sampling(m.sampling, greedy(1), 0)
		options.Grammar = r.grammar
		chooser, err := m.weights.NewSampler(options)
		if err != nil {
			t.Fatal(err)
		}
		var choose batching.Sampler = sampler{Sampler: chooser, context: m.context}
		if !force {
			choose = unforced{choose}
		}
		work := &counting{executor: executor{context: m.context, work: &engines.WorkCounter{}}}
		s := batching.New(batching.Config{
			ContextTokens: m.context.Tokens(), BatchTokens: m.parameters.Batch, DraftTokens: drafts,
			Parallel: 1, Slots: 1, KeepsEveryPosition: true, Now: func() time.Time { return work.now },
		}, work, m.vocab)
		var text strings.Builder
		result, err := s.Generate(t.Context(), batching.Request{Prompt: prompt.Tokens, MaxTokens: r.limit, CapToRoom: true, Sampler: choose},
			func(o batching.Output) error { text.WriteString(o.Text); return nil })
		s.Close()
		if err != nil {
			t.Fatal(err)
		}
		m.context.Remove(0, 0)
		out.texts = append(out.texts, text.String())
		out.completion += result.CompletionTokens
		out.steps += work.steps
		out.computed += work.computed
		if result.Finish == finishStop {
			out.ended++
		}
	}
	return out
}

// TestForcedText checks that what a grammar forces takes fewer steps and changes no
// answer, and that the answers are llama-server's.
func TestForcedText(t *testing.T) {
	ref := startReference(t, starter())
	m := load(t, starter(), map[string]any{"n_ctx": 2048})
	for _, c := range []struct {
		name     string
		requests []constrained
		most     float64 // steps with drafts, to those without what is forced
	}{{"Grammar", grammarRequests(), 0.95}, {"schemas", schemaRequests(t), 0.75}} {
		for _, drafts := range []int{0, 8} {
			t.Run(fmt.Sprintf("%s/%d drafted", c.name, drafts), func(t *testing.T) {
				want := m.answerAll(t, c.requests, false, drafts)
				got := m.answerAll(t, c.requests, true, drafts)
				t.Logf("%d tokens in %d steps, with forced text in %d; computed %d and %d",
					want.completion, want.steps, got.steps, want.computed, got.computed)
				if !slices.Equal(got.texts, want.texts) || got.completion != want.completion || got.ended != want.ended {
					t.Errorf("%d tokens: %q\nwithout forced text %d tokens: %q", got.completion, got.texts, want.completion, want.texts)
				}
				for i, r := range c.requests {
					if text := ref.constrained(m, r); got.texts[i] != text {
						t.Errorf("%s\nllama-server: %s", got.texts[i], text)
					}
				}
				// Without drafts, only the ends take no step.
				if drafts == 0 && (got.ended == 0 || got.steps != want.steps-got.ended) || float64(got.steps) > max(c.most, float64(8-drafts))*float64(want.steps) {
					t.Errorf("%d steps, without forced text %d", got.steps, want.steps)
				}
			})
		}
	}
}

// constrained returns llama-server's answer to a request.
func (r *reference) constrained(m *model, request constrained) string {
	r.t.Helper()
	prompt, err := m.prompt(task{messages: request.messages})
	if err != nil {
		r.t.Fatal(err)
	}
	a, err := r.complete(prompt.Tokens, map[string]any{
		"grammar": request.grammar, "temperature": 0, "n_predict": request.limit, "cache_prompt": false,
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return a.Content
}

// TestForced checks what samplers say is forced while they choose.
func TestForced(t *testing.T) {
	m := load(t, starter(), map[string]any{"draft_tokens": 0}) // so that the end of an answer is asked for
	for _, c := range []struct{ schema, first string }{
		{`{"const":{"đúng":"nothing to correct","notes":[]}}`, `{"đúng":"nothing to correct","notes":[]}`},
		{`{"type":"object","properties":{"name":{"type":"string","maxLength":8}},"required":["name"]}`, `{"name":`},
		{`{"enum":["noun","number"]}`, `"n`},
		{`{"type":"boolean"}`, ``},
		{`{"type":"string","pattern":"^[Đĩ]$"}`, "\"\xc4"}, // they have the first byte in common
	} {
		grammar, err := jsongrammar.Schema(c.schema, "x")
		if err != nil {
			t.Fatal(err)
		}
		options := sampling(m.sampling, greedy(1), 0)
		options.Grammar = grammar
		chooser, err := m.weights.NewSampler(options)
		if err != nil {
			t.Fatal(err)
		}
		r := &forcedReader{Sampler: sampler{Sampler: chooser, context: m.context}, vocab: m.vocab}
		first, _ := r.Forced()
		if first != c.first {
			t.Errorf("%s forces %q", c.schema, first)
		}
		prompt, err := m.prompt(task{messages: conversation("", "Hello")})
		if err != nil {
			t.Fatal(err)
		}
		result, err := m.scheduler.Generate(t.Context(), batching.Request{Prompt: prompt.Tokens, MaxTokens: 100, Sampler: r}, func(batching.Output) error { return nil })
		if err != nil || result.Finish != finishStop || !r.ended || r.problem != "" {
			t.Errorf("%s: %v, %v; the end was forced: %v; %s", c.schema, result.Finish, err, r.ended, r.problem)
		}
	}
}

// TestForcedUntilAnEnd checks that a text is not forced where the answer may end, as after
// a call of a tool.
func TestForcedUntilAnEnd(t *testing.T) {
	m := load(t, starter(), nil)
	options := sampling(m.sampling, greedy(1), 0)
	options.Grammar = `root ::= "one call" (", another call")?`
	chooser, err := m.weights.NewSampler(options)
	if err != nil {
		t.Fatal(err)
	}
	defer chooser.Close()
	if text, end := chooser.Forced(); text != "one call" || end != batching.NoToken {
		t.Errorf("forces %q, %d", text, end)
	}
}

// TestDraft checks that a draft writes a forced text up to its last whole character.
func TestDraft(t *testing.T) {
	m := load(t, starter(), nil)
	for text, want := range map[string]string{
		`{"đúng":`: `{"đúng":`, "{\"\xc4": `{"`, "ti\xe1\xba": "ti", "x\xf0\x9f\x98": "x", "đ": "đ", "\xc4": "", "": "",
		"\x91 là": "", "x\x80\x80\x80\x80": "",
	} {
		var draft strings.Builder
		for _, token := range m.vocab.Draft(text) {
			draft.Write(m.vocab.Piece(token))
		}
		if draft.String() != want {
			t.Errorf("%q is drafted as %q", text, draft.String())
		}
	}
}

// forcedReader checks that what is chosen writes what was forced before.
type forcedReader struct {
	batching.Sampler
	vocab   *vocabulary
	text    string
	ended   bool
	problem string
}

func (r *forcedReader) Forced() (string, batching.Token) {
	text, end := r.Sampler.Forced()
	if !strings.HasPrefix(text, r.text) {
		r.problem = fmt.Sprintf("%q is forced after %q", text, r.text)
	}
	r.text, r.ended = text, end != batching.NoToken
	return text, end
}

func (r *forcedReader) Sample(index int) batching.Token {
	t := r.Sampler.Sample(index)
	if piece := string(r.vocab.Piece(t)); strings.HasPrefix(r.text, piece) {
		r.text = r.text[len(piece):]
	} else if strings.HasPrefix(piece, r.text) {
		r.text = ""
	} else {
		r.problem = fmt.Sprintf("%q was chosen where %q is forced", piece, r.text)
	}
	return t
}
