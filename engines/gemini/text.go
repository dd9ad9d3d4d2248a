package gemini

import (
	"context"
	"strings"

	"golang.org/x/sync/semaphore"
	"google.golang.org/genai"

	"github.com/lexilingo/modelgateway/engines"
	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/engines/tutor"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// model is a pair of cloud models, for text and for speech.
type model struct {
	parameters parameters
	client     *client
	sounds     *semaphore.Weighted // bytes of samples in requests under way
}

var (
	_ engines.Model               = (*model)(nil)
	_ engines.Chatter             = (*model)(nil)
	_ engines.GrammarChecker      = (*model)(nil)
	_ engines.Responder           = (*model)(nil)
	_ engines.VietnameseExplainer = (*model)(nil)
	_ engines.Transcriber         = (*model)(nil)
	_ engines.Synthesizer         = (*model)(nil)
	_ engines.PronunciationScorer = (*model)(nil)
)

const (
	// maxStops is the API's limit on stop strings.
	maxStops = 5
	// thoughtTokens are left for thinking where the answer's own length is known.
	thoughtTokens = 1024
)

// Description implements engines.Model.
func (m *model) Description() string {
	return m.parameters.Model + ", speech " + m.parameters.SpeechModel + ", in the cloud"
}

// Close implements engines.Model.
func (m *model) Close() error {
	m.client.close()
	return nil
}

// Chat implements engines.Chatter.
func (m *model) Chat(ctx context.Context, req *gatewayv1.ChatRequest, emit func(*gatewayv1.StreamChatResponse) error) error {
	contents, config, err := m.conversation(req.GetMessages(), req.GetSampling(), req.GetThinking())
	if err != nil {
		return err
	}
	a, err := m.client.stream(ctx, m.parameters.Model, contents, config, func(text string) error {
		return emit(&gatewayv1.StreamChatResponse{Delta: text})
	})
	if err != nil {
		return err
	}
	finish, err := a.end()
	if err != nil {
		return err
	}
	return emit(&gatewayv1.StreamChatResponse{FinishReason: finish, Usage: a.usage})
}

// Grammar implements engines.GrammarChecker.
func (m *model) Grammar(ctx context.Context, req *gatewayv1.GrammarRequest) (*gatewayv1.GrammarResponse, error) {
	if trivial := tutor.TrivialGrammar(req); trivial != nil {
		return trivial, nil
	}
	contents, config, err := m.conversation(tutor.GrammarMessages(req), tutor.GrammarSampling(req), false)
	if err != nil {
		return nil, err
	}
	if req.GetSampling().GetMaxTokens() == 0 {
		config.MaxOutputTokens += thoughtTokens
	}
	hold(config, tutor.GrammarSchema(req))
	a, err := m.client.generate(ctx, m.parameters.Model, contents, config, maxTextAnswer)
	if err != nil {
		return nil, err
	}
	if err := a.whole(); err != nil {
		return nil, err
	}
	resp, err := tutor.ParseGrammar(req, a.text.String())
	if err != nil {
		return nil, err
	}
	resp.Usage = a.usage
	return resp, nil
}

// Respond implements engines.Responder.
func (m *model) Respond(ctx context.Context, req *gatewayv1.RespondRequest) (*gatewayv1.RespondResponse, error) {
	text, finish, usage, err := m.reply(ctx, tutor.RespondMessages(req), req.GetSampling())
	if err != nil {
		return nil, err
	}
	return &gatewayv1.RespondResponse{Text: text, FinishReason: finish, Usage: usage}, nil
}

// ExplainVietnamese implements engines.VietnameseExplainer.
func (m *model) ExplainVietnamese(ctx context.Context, req *gatewayv1.ExplainVietnameseRequest) (*gatewayv1.ExplainVietnameseResponse, error) {
	text, finish, usage, err := m.reply(ctx, tutor.ExplainMessages(req), req.GetSampling())
	if err != nil {
		return nil, err
	}
	return &gatewayv1.ExplainVietnameseResponse{Explanation: text, FinishReason: finish, Usage: usage}, nil
}

// reply is a whole turn. One that a safety filter withheld altogether is an
// error; one that it cut off is what there is of it.
func (m *model) reply(ctx context.Context, messages []*gatewayv1.ChatMessage, sampling *gatewayv1.SamplingOptions) (string, gatewayv1.FinishReason, *gatewayv1.Usage, error) {
	contents, config, err := m.conversation(messages, sampling, false)
	if err != nil {
		return "", 0, nil, err
	}
	a, err := m.client.generate(ctx, m.parameters.Model, contents, config, maxTextAnswer)
	if err != nil {
		return "", 0, nil, err
	}
	finish, err := a.end()
	text := strings.TrimSpace(a.text.String())
	if err == nil && finish == finishSafety && text == "" {
		err = a.refusal()
	}
	return text, finish, a.usage, err
}

// conversation turns messages and options into what the API takes. System
// messages become one instruction; turns without content are left out, because
// the API refuses them.
func (m *model) conversation(messages []*gatewayv1.ChatMessage, sampling *gatewayv1.SamplingOptions, thinking bool) ([]*genai.Content, *genai.GenerateContentConfig, error) {
	var system []string
	var contents []*genai.Content
	for _, msg := range messages {
		switch {
		case strings.TrimSpace(msg.GetContent()) == "":
		case msg.GetRole() == gatewayv1.Role_ROLE_SYSTEM:
			system = append(system, msg.GetContent())
		case msg.GetRole() == gatewayv1.Role_ROLE_ASSISTANT:
			contents = append(contents, genai.NewContentFromText(msg.GetContent(), genai.RoleModel))
		default:
			contents = append(contents, genai.NewContentFromText(msg.GetContent(), genai.RoleUser))
		}
	}
	if len(contents) == 0 {
		return nil, nil, errs.New(errs.InvalidRequest, "the conversation has nothing to answer: every turn is empty, or the system's")
	}
	config, err := m.config(sampling, thinking)
	if err != nil {
		return nil, nil, err
	}
	if len(system) > 0 {
		config.SystemInstruction = &genai.Content{Parts: []*genai.Part{{Text: strings.Join(system, "\n")}}}
	}
	return contents, config, nil
}

// config maps the options of sampling. The API has no min_p and repeat_penalty,
// and its newer models refuse presence_penalty and frequency_penalty: they are
// left out, so that a request that was made for a local model is answered.
func (m *model) config(s *gatewayv1.SamplingOptions, thinking bool) (*genai.GenerateContentConfig, error) {
	if len(s.GetStop()) > maxStops {
		return nil, errs.New(errs.InvalidRequest, "Gemini takes at most %d stop strings, not %d", maxStops, len(s.GetStop()))
	}
	config := &genai.GenerateContentConfig{
		MaxOutputTokens: int32(m.parameters.MaxTokens), //nolint:gosec // checked at the load
		StopSequences:   s.GetStop(),
		SafetySettings:  m.parameters.safetySettings(),
	}
	if s != nil {
		config.Temperature, config.TopP = s.Temperature, s.TopP
	}
	if s.GetTopK() > 0 {
		config.TopK = genai.Ptr(float32(s.GetTopK()))
	}
	if s != nil && s.Seed != nil {
		config.Seed = genai.Ptr(int32(s.GetSeed() & 0x7fffffff)) //nolint:gosec // the API's is signed
	}
	if s.GetMaxTokens() > 0 {
		config.MaxOutputTokens = s.GetMaxTokens()
	}
	if level := m.parameters.ThinkingLevel; level != "" && !thinking {
		config.ThinkingConfig = &genai.ThinkingConfig{ThinkingLevel: genai.ThinkingLevel(strings.ToUpper(level))}
	}
	return config, nil
}

// hold holds an answer to a JSON schema.
func hold(config *genai.GenerateContentConfig, schema map[string]any) {
	config.ResponseMIMEType = "application/json"
	config.ResponseJsonSchema = schema
}
