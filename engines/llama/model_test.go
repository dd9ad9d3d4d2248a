package llama

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/lexilingo/modelgateway/engines"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// testContext is the size of the context in the tests, also of llama-server's.
const testContext = 2048

// starter returns the path of the starter model.
func starter() string { return filepath.Join("..", "..", "models", "starter", "chat.gguf") }

// load loads a model as a worker does, and closes it after the test.
func load(t *testing.T, path string, settings map[string]any) *model {
	t.Helper()
	m, err := tryLoad(path, settings)
	if err != nil {
		t.Fatalf("%v (libraries missing? make native)", err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

// sharedEngine is the only engine of the test process, because llama.cpp's back ends
// and log belong to the process.
var sharedEngine = New()

func tryLoad(path string, settings map[string]any) (*model, error) {
	all := map[string]any{"n_ctx": testContext}
	for k, v := range settings {
		all[k] = v
	}
	parameters, err := structpb.NewStruct(all)
	if err != nil {
		return nil, err
	}
	m, err := sharedEngine.Load(context.Background(), engines.LoadOptions{
		ModelName: "test", Path: path, Device: "cpu", Threads: 2, MaxConcurrency: 4, Parameters: parameters,
	})
	if err != nil {
		return nil, err
	}
	return m.(*model), nil
}

// conversation returns messages with the given contents: a system message unless
// the first content is empty, then user and assistant in turn.
func conversation(system string, turns ...string) []*gatewayv1.ChatMessage {
	var out []*gatewayv1.ChatMessage
	if system != "" {
		out = append(out, &gatewayv1.ChatMessage{Role: gatewayv1.Role_ROLE_SYSTEM, Content: system})
	}
	for i, content := range turns {
		role := gatewayv1.Role_ROLE_USER
		if i%2 == 1 {
			role = gatewayv1.Role_ROLE_ASSISTANT
		}
		out = append(out, &gatewayv1.ChatMessage{Role: role, Content: content})
	}
	return out
}

// greedy always takes the most likely token, without penalties.
func greedy(maxTokens int32) *gatewayv1.SamplingOptions {
	return &gatewayv1.SamplingOptions{
		Temperature:     proto.Float32(0),
		PresencePenalty: proto.Float32(0),
		MaxTokens:       proto.Int32(maxTokens),
	}
}

// chatAnswer is a complete answer.
type chatAnswer struct {
	text   string
	pieces []string
	finish gatewayv1.FinishReason
	usage  *gatewayv1.Usage
}

func chat(ctx context.Context, m *model, req *gatewayv1.ChatRequest) (chatAnswer, error) {
	var a chatAnswer
	err := m.Chat(ctx, req, func(r *gatewayv1.StreamChatResponse) error {
		a.pieces = append(a.pieces, r.GetDelta())
		a.finish, a.usage = r.GetFinishReason(), r.GetUsage()
		return nil
	})
	a.text = strings.Join(a.pieces, "")
	return a, err
}

func mustChat(t *testing.T, m *model, req *gatewayv1.ChatRequest) chatAnswer {
	t.Helper()
	a, err := chat(t.Context(), m, req)
	if err != nil {
		t.Fatal(err)
	}
	return a
}
