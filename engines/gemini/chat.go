package gemini

import (
	"context"
	"encoding/json"

	"google.golang.org/genai"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/engines/jsongrammar"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// Chat implements engines.Chatter. Several answers are not streamed: the API sends them
// together.
func (m *model) Chat(ctx context.Context, req *gatewayv1.ChatRequest, emit func(*gatewayv1.StreamChatResponse) error) error {
	contents, config, err := m.conversation(req.GetMessages(), req.GetSampling(), req.GetThinking())
	if err != nil {
		return err
	}
	if err := setChatOptions(config, req); err != nil {
		return err
	}
	c := &chatRun{model: m, req: req, emit: emit}
	if req.GetN() > 1 {
		config.CandidateCount = req.GetN()
		resp, err := m.client.whole(ctx, m.parameters.Model, contents, config, maxTextAnswer)
		if err != nil {
			return err
		}
		if err := c.add(resp); err != nil {
			return err
		}
	} else if err := m.client.stream(ctx, m.parameters.Model, contents, config, c.add); err != nil {
		return err
	}
	return c.end()
}

// setChatOptions sets the options that only a chat has.
func setChatOptions(config *genai.GenerateContentConfig, req *gatewayv1.ChatRequest) error {
	switch format := req.GetResponseFormat(); format.GetType() {
	case gatewayv1.ResponseFormatType_RESPONSE_FORMAT_TYPE_JSON_OBJECT:
		requireSchema(config, map[string]any{"type": "object"})
	case gatewayv1.ResponseFormatType_RESPONSE_FORMAT_TYPE_JSON_SCHEMA:
		schema, err := readObject(format.GetJsonSchema(), "response_format.json_schema")
		if err != nil {
			return err
		}
		requireSchema(config, enforced(schema))
	}
	if req.GetLogprobs() {
		config.ResponseLogprobs = true
		if req.GetTopLogprobs() > 0 {
			config.Logprobs = genai.Ptr(req.GetTopLogprobs())
		}
	}
	if req.GetThinking() {
		config.ThinkingConfig = &genai.ThinkingConfig{IncludeThoughts: true}
	}
	return setTools(config, req)
}

// setTools sets the functions that the model may call.
func setTools(config *genai.GenerateContentConfig, req *gatewayv1.ChatRequest) error {
	tools := jsongrammar.Offered(req)
	if len(tools) == 0 {
		return nil
	}
	functions := make([]*genai.FunctionDeclaration, len(tools))
	for i, tool := range tools {
		functions[i] = &genai.FunctionDeclaration{Name: tool.GetName(), Description: tool.GetDescription()}
		if tool.GetParameters() == "" {
			continue
		}
		parameters, err := readObject(tool.GetParameters(), "tools")
		if err != nil {
			return err
		}
		functions[i].ParametersJsonSchema = enforced(parameters)
	}
	mode := genai.FunctionCallingConfigModeAuto
	if req.GetToolChoice().GetMode() == gatewayv1.ToolChoiceMode_TOOL_CHOICE_MODE_REQUIRED {
		mode = genai.FunctionCallingConfigModeAny
	}
	config.Tools = []*genai.Tool{{FunctionDeclarations: functions}}
	config.ToolConfig = &genai.ToolConfig{FunctionCallingConfig: &genai.FunctionCallingConfig{Mode: mode}}
	return nil
}

// readObject reads JSON text of a request.
func readObject(text, field string) (map[string]any, error) {
	var out map[string]any
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		return nil, errs.New(errs.InvalidRequest, "%s is not a JSON object: %v", field, err).With("fields", field)
	}
	return out, nil
}

// chatRun is one call of Chat.
type chatRun struct {
	model   *model
	req     *gatewayv1.ChatRequest
	emit    func(*gatewayv1.StreamChatResponse) error
	common  answer // what concerns all answers
	answers []*answer
}

// add emits a piece of the API's answer.
func (c *chatRun) add(resp *genai.GenerateContentResponse) error {
	c.common.addCommon(resp)
	for i, candidate := range resp.Candidates {
		if candidate == nil {
			continue
		}
		if candidate.Index > 0 {
			i = int(candidate.Index)
		}
		if i >= max(1, int(c.req.GetN())) {
			return errs.New(errs.EngineCrashed, "Gemini returned more answers than the request asked for: try again")
		}
		for len(c.answers) <= i {
			c.answers = append(c.answers, &answer{})
		}
		if err := c.piece(int32(i), candidate); err != nil { //nolint:gosec // at most 4
			return err
		}
	}
	return nil
}

// piece emits a piece of one answer.
func (c *chatRun) piece(index int32, candidate *genai.Candidate) error {
	a := c.answers[index]
	first := a.calls
	message := &gatewayv1.StreamChatResponse{AnswerIndex: index}
	text, thought := a.addCandidate(candidate)
	message.Delta = text
	if c.req.GetThinking() {
		message.ReasoningDelta = thought
	}
	var err error
	if message.ToolCallDeltas, err = c.model.callDeltas(candidate, first); err != nil {
		return err
	}
	message.Logprobs = logprobs(candidate.LogprobsResult)
	if message.GetDelta() == "" && message.GetReasoningDelta() == "" && len(message.GetToolCallDeltas())+len(message.GetLogprobs()) == 0 {
		return nil
	}
	return c.emit(message)
}

// end emits the end of all answers. The last one has the usage.
func (c *chatRun) end() error {
	if len(c.answers) == 0 {
		c.answers = []*answer{{}}
	}
	for i, a := range c.answers {
		a.blocked = c.common.blocked
		if a.finish == "" && a.blocked == "" && c.req.GetN() <= 1 {
			return interrupted()
		}
		finish, err := a.finishReason()
		if err != nil {
			return err
		}
		message := &gatewayv1.StreamChatResponse{AnswerIndex: int32(i), FinishReason: finish} //nolint:gosec // at most 4
		if i == len(c.answers)-1 {
			message.Usage = c.common.usage
		}
		if err := c.emit(message); err != nil {
			return err
		}
	}
	return nil
}

// logprobs converts the probabilities of tokens.
func logprobs(result *genai.LogprobsResult) []*gatewayv1.TokenLogprob {
	if result == nil {
		return nil
	}
	convert := func(c *genai.LogprobsResultCandidate) *gatewayv1.TokenProbability {
		return &gatewayv1.TokenProbability{Text: c.Token, TextBytes: []byte(c.Token), Logprob: c.LogProbability}
	}
	var out []*gatewayv1.TokenLogprob
	for i, chosen := range result.ChosenCandidates {
		if chosen == nil {
			continue
		}
		token := &gatewayv1.TokenLogprob{Token: convert(chosen)}
		if i < len(result.TopCandidates) && result.TopCandidates[i] != nil {
			for _, top := range result.TopCandidates[i].Candidates {
				if top != nil {
					token.Top = append(token.Top, convert(top))
				}
			}
		}
		out = append(out, token)
	}
	return out
}
