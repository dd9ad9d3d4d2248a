package gemini

import (
	"crypto/rand"
	"encoding/json"
	"slices"
	"sync"

	"google.golang.org/genai"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// signatures remembers the thought signatures of calls. The API wants them back with the
// calls, and the callers of the gateway have no field for them.
type signatures struct {
	mu   sync.Mutex
	byID map[string][]byte
	ids  []string // oldest first
}

const (
	// maxSignatures and maxSignature bound the memory: the number of calls, and the bytes
	// of the signature of one.
	maxSignatures = 512
	maxSignature  = 16 << 10
)

// noSignature is what the API accepts for a call whose signature is not known.
const noSignature = "skip_thought_signature_validator"

func (s *signatures) put(id string, signature []byte) {
	if len(signature) == 0 || len(signature) > maxSignature {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byID == nil {
		s.byID = map[string][]byte{}
	}
	if len(s.ids) == maxSignatures {
		delete(s.byID, s.ids[0])
		s.ids = slices.Delete(s.ids, 0, 1)
	}
	s.byID[id] = signature
	s.ids = append(s.ids, id)
}

func (s *signatures) get(id string) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if signature, ok := s.byID[id]; ok {
		return signature
	}
	return []byte(noSignature)
}

// callDeltas converts the calls of a piece. first is the index of the next call.
func (m *model) callDeltas(candidate *genai.Candidate, first int) ([]*gatewayv1.ToolCallDelta, error) {
	if candidate.Content == nil {
		return nil, nil
	}
	var out []*gatewayv1.ToolCallDelta
	for _, part := range candidate.Content.Parts {
		if part == nil || part.FunctionCall == nil {
			continue
		}
		arguments := part.FunctionCall.Args
		if arguments == nil {
			arguments = map[string]any{}
		}
		text, err := json.Marshal(arguments)
		if err != nil {
			return nil, errs.New(errs.EngineCrashed, "Gemini's call of a function cannot be read: try again").WithCause(err)
		}
		id := "call_" + rand.Text()
		m.signatures.put(id, part.ThoughtSignature)
		out = append(out, &gatewayv1.ToolCallDelta{
			Index: int32(first + len(out)), Id: id, Name: part.FunctionCall.Name, ArgumentsDelta: string(text), //nolint:gosec // a few
		})
	}
	return out, nil
}

// modelContent returns an earlier answer of the model.
func (m *model) modelContent(text string, calls []*gatewayv1.ToolCall) *genai.Content {
	content := &genai.Content{Role: genai.RoleModel}
	if text != "" {
		content.Parts = append(content.Parts, &genai.Part{Text: text})
	}
	for i, call := range calls {
		var arguments map[string]any
		_ = json.Unmarshal([]byte(call.GetArguments()), &arguments) // checked by the server
		part := &genai.Part{FunctionCall: &genai.FunctionCall{Name: call.GetName(), Args: arguments}}
		if i == 0 { // only the first call of an answer has one
			part.ThoughtSignature = m.signatures.get(call.GetId())
		}
		content.Parts = append(content.Parts, part)
	}
	return content
}

// functionResponse returns what a function returned, and the calls without an answer
// that are left.
func functionResponse(msg *gatewayv1.ChatMessage, open []*gatewayv1.ToolCall) (*genai.Part, []*gatewayv1.ToolCall) {
	id := msg.GetToolCallId()
	name := ""
	if at := slices.IndexFunc(open, func(c *gatewayv1.ToolCall) bool { return id == "" || c.GetId() == id }); at >= 0 {
		name = open[at].GetName()
		open = slices.Delete(slices.Clone(open), at, at+1)
	}
	var response map[string]any
	if json.Unmarshal([]byte(msg.GetContent()), &response) != nil || response == nil {
		response = map[string]any{"output": msg.GetContent()}
	}
	return &genai.Part{FunctionResponse: &genai.FunctionResponse{Name: name, Response: response}}, open
}

// appendParts adds parts to the last content if it is a list of answers of functions,
// which the API wants together.
func appendParts(contents []*genai.Content, role string, part *genai.Part) []*genai.Content {
	if last := len(contents) - 1; last >= 0 && contents[last].Role == role && contents[last].Parts[0].FunctionResponse != nil {
		contents[last].Parts = append(contents[last].Parts, part)
		return contents
	}
	return append(contents, &genai.Content{Role: role, Parts: []*genai.Part{part}})
}
