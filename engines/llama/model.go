package llama

import (
	"context"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/lexilingo/modelgateway/engines"
	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/engines/llama/batching"
	"github.com/lexilingo/modelgateway/engines/llama/chatprompt"
	"github.com/lexilingo/modelgateway/engines/llama/llamacpp"
	"github.com/lexilingo/modelgateway/engines/llama/settings"
	"github.com/lexilingo/modelgateway/engines/tutor"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// model is a loaded model.
type model struct {
	parameters settings.Parameters
	sampling   settings.Sampling
	weights    *llamacpp.Model
	vocab      *vocabulary
	prompter   *chatprompt.Prompter
	context    *llamacpp.Context
	scheduler  *batching.Scheduler
	seed       func() uint32
}

var (
	_ engines.Model               = (*model)(nil)
	_ engines.Chatter             = (*model)(nil)
	_ engines.GrammarChecker      = (*model)(nil)
	_ engines.Responder           = (*model)(nil)
	_ engines.VietnameseExplainer = (*model)(nil)
)

// Description implements engines.Model.
func (m *model) Description() string { return m.weights.Description() }

// Close implements engines.Model.
func (m *model) Close() error {
	m.scheduler.Close()
	m.context.Close()
	m.weights.Close()
	return nil
}

// Grammar implements engines.GrammarChecker.
func (m *model) Grammar(ctx context.Context, req *gatewayv1.GrammarRequest) (*gatewayv1.GrammarResponse, error) {
	if trivial := tutor.TrivialGrammar(req); trivial != nil {
		return trivial, nil
	}
	plain := tutor.PlainGrammar(req)
	text, result, err := m.text(ctx, task{
		messages: tutor.GrammarMessages(plain),
		sampling: tutor.GrammarSampling(plain),
		grammar:  tutor.GrammarGBNF(plain),
	})
	if err != nil {
		return nil, err
	}
	resp, err := tutor.ParseGrammar(req, text)
	if err != nil {
		return nil, err
	}
	resp.Usage = usage(result)
	return resp, nil
}

// Respond implements engines.Responder.
func (m *model) Respond(ctx context.Context, req *gatewayv1.RespondRequest) (*gatewayv1.RespondResponse, error) {
	text, result, err := m.text(ctx, task{messages: tutor.RespondMessages(tutor.PlainRespond(req)), sampling: req.GetSampling()})
	if err != nil {
		return nil, err
	}
	return &gatewayv1.RespondResponse{Text: text, FinishReason: result.Finish, Usage: usage(result)}, nil
}

// ExplainVietnamese implements engines.VietnameseExplainer.
func (m *model) ExplainVietnamese(ctx context.Context, req *gatewayv1.ExplainVietnameseRequest) (*gatewayv1.ExplainVietnameseResponse, error) {
	text, result, err := m.text(ctx, task{messages: tutor.ExplainMessages(tutor.PlainExplain(req)), sampling: req.GetSampling()})
	if err != nil {
		return nil, err
	}
	return &gatewayv1.ExplainVietnameseResponse{Explanation: text, FinishReason: result.Finish, Usage: usage(result)}, nil
}

// task is a request of any kind.
type task struct {
	messages []*gatewayv1.ChatMessage
	sampling *gatewayv1.SamplingOptions // may be nil
	thinking bool
	grammar  string // GBNF; empty for none
	logprobs bool
	top      int // how many of the most likely tokens logprobs have
	// compose returns the grammar, if it depends on the prompt.
	compose func(chatprompt.Prompt) (string, error)
	tools   []*gatewayv1.Tool
	answer  uint32 // counts the answers to one request: each has another seed
}

// text generates a complete answer.
func (m *model) text(ctx context.Context, t task) (string, batching.Result, error) {
	var b strings.Builder
	result, err := m.generate(ctx, t, func(o batching.Output) error {
		b.WriteString(o.Text)
		return nil
	})
	return b.String(), result, err
}

func (m *model) generate(ctx context.Context, t task, emit func(batching.Output) error) (batching.Result, error) {
	prompt, err := m.prompt(t)
	if err != nil {
		return batching.Result{}, err
	}
	if t.sampling == nil {
		t.sampling = &gatewayv1.SamplingOptions{}
	}
	if prompt.Transcript {
		emit = withoutLeadingSpace(emit)
	}
	options := sampling(m.sampling, t.sampling, m.seed())
	options.Seed += t.answer
	if t.compose != nil {
		if t.grammar, err = t.compose(prompt); err != nil {
			return batching.Result{}, err
		}
	}
	options.Grammar = t.grammar
	options.Written = m.vocab.written
	chooser, err := m.weights.NewSampler(options)
	if err != nil {
		return batching.Result{}, errs.New(errs.Internal, "llama.cpp refuses the grammar of the answer").WithCause(err)
	}
	limit := m.parameters.MaxTokens
	if t.sampling.MaxTokens != nil {
		limit = int(t.sampling.GetMaxTokens())
	}
	return m.scheduler.Generate(ctx, batching.Request{
		Prompt:    prompt.Tokens,
		MaxTokens: limit,
		// The server refuses a request for its limit only if the caller chose it and
		// no grammar ends the answer.
		CapToRoom:     t.sampling.MaxTokens == nil || t.grammar != "",
		Stop:          append(composed(t.sampling.GetStop()), prompt.Stops...),
		InsideThought: prompt.InsideThought,
		Sampler:       sampler{Sampler: chooser, context: m.context, logprobs: t.logprobs, top: t.top},
	}, emit)
}

// withoutLeadingSpace returns an emit that leaves out space at the beginning of a text.
func withoutLeadingSpace(emit func(batching.Output) error) func(batching.Output) error {
	begun := false
	return func(o batching.Output) error {
		if !begun {
			o.Text = strings.TrimLeftFunc(o.Text, unicode.IsSpace)
			begun = o.Text != ""
		}
		return emit(o)
	}
}

// composed returns texts in NFC, as the model writes them.
func composed(texts []string) []string {
	out := make([]string, len(texts))
	for i, text := range texts {
		out[i] = norm.NFC.String(text)
	}
	return out
}

func usage(r batching.Result) *gatewayv1.Usage {
	return &gatewayv1.Usage{
		PromptTokenCount:       int32(r.PromptTokens),     //nolint:gosec // bounded by the context
		CachedPromptTokenCount: int32(r.CachedTokens),     //nolint:gosec // as above
		CompletionTokenCount:   int32(r.CompletionTokens), //nolint:gosec // as above
		ReasoningTokenCount:    int32(r.ThoughtTokens),    //nolint:gosec // as above
	}
}
