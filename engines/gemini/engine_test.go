package gemini_test

import (
	"context"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/lexilingo/modelgateway/engines"
	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/engines/gemini"
	"github.com/lexilingo/modelgateway/engines/gemini/geminitest"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// testTimeout is the timeout of requests that must not time out.
const testTimeout = time.Minute

// cloudModel is the set of interfaces that a model of the engine implements.
type cloudModel interface {
	engines.Model
	engines.Chatter
	engines.GrammarChecker
	engines.Responder
	engines.VietnameseExplainer
	engines.Transcriber
	engines.Synthesizer
	engines.PronunciationScorer
}

// logBuffer collects the log of an engine.
type logBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func account(server *geminitest.Server) gemini.Options {
	return gemini.Options{
		APIKey: geminitest.Key, BaseURL: server.URL, Timeout: testTimeout,
		Logger: slog.New(slog.DiscardHandler),
	}
}

func loadWith(t *testing.T, o gemini.Options, parameters map[string]any) (cloudModel, error) {
	t.Helper()
	p, err := structpb.NewStruct(parameters)
	if err != nil {
		t.Fatal(err)
	}
	m, err := gemini.New(o).Load(t.Context(), engines.LoadOptions{ModelName: "gemini", MaxConcurrency: 8, Parameters: p})
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m.(cloudModel), nil
}

// open starts a fake API and loads a model that uses it.
func open(t *testing.T) (*geminitest.Server, cloudModel) {
	t.Helper()
	server := geminitest.New(t)
	m, err := loadWith(t, account(server), nil)
	if err != nil {
		t.Fatal(err)
	}
	return server, m
}

func say(text string) *gatewayv1.ChatRequest {
	return &gatewayv1.ChatRequest{Messages: []*gatewayv1.ChatMessage{{Role: gatewayv1.Role_ROLE_USER, Content: text}}}
}

// chat runs a Chat to its end.
func chat(ctx context.Context, m cloudModel, req *gatewayv1.ChatRequest) (text string, last *gatewayv1.StreamChatResponse, err error) {
	var b strings.Builder
	err = m.Chat(ctx, req, func(r *gatewayv1.StreamChatResponse) error {
		b.WriteString(r.GetDelta())
		last = r
		return nil
	})
	return b.String(), last, err
}

func TestLoadChecksAccountAndParameters(t *testing.T) {
	server := geminitest.New(t)
	with := func(change func(*gemini.Options)) gemini.Options {
		o := account(server)
		change(&o)
		return o
	}
	for name, c := range map[string]struct {
		options    gemini.Options
		parameters map[string]any
		reason     errs.Reason
		names      string
	}{
		"no key":            {options: with(func(o *gemini.Options) { o.APIKey = "" }), reason: errs.EngineUnavailable, names: "GEMINI_API_KEY"},
		"plain http":        {options: with(func(o *gemini.Options) { o.BaseURL = "http://api.example.org" }), reason: errs.EngineUnavailable, names: "https"},
		"unknown parameter": {parameters: map[string]any{"modle": "x"}, reason: errs.InvalidRequest, names: `"model"`},
		"a path as a model": {parameters: map[string]any{"model": "../files/x"}, reason: errs.InvalidRequest, names: "model"},
		"a wrong threshold": {parameters: map[string]any{"safety": map[string]any{"harassment": "never"}}, reason: errs.InvalidRequest, names: "block_none"},
		"a wrong category":  {parameters: map[string]any{"safety": map[string]any{"spam": "off"}}, reason: errs.InvalidRequest, names: "hate_speech"},
		"a wrong level":     {parameters: map[string]any{"thinking_level": "deep"}, reason: errs.InvalidRequest, names: "minimal"},
		"max_tokens of 0":   {parameters: map[string]any{"max_tokens": 0}, reason: errs.InvalidRequest, names: "max_tokens"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.options.BaseURL == "" {
				c.options = account(server)
			}
			_, err := loadWith(t, c.options, c.parameters)
			if errs.ReasonOf(err) != c.reason || !strings.Contains(err.Error(), c.names) {
				t.Errorf("%v", err)
			}
		})
	}
	if n := len(server.Requests()); n != 0 {
		t.Errorf("loads sent %d requests to the API", n)
	}
}

// Environment variables of Google's libraries must not redirect the key.
func TestEnvironmentIsIgnored(t *testing.T) {
	other := geminitest.New(t)
	for key, value := range map[string]string{
		"GOOGLE_GENAI_USE_VERTEXAI": "true", "GOOGLE_GENAI_USE_ENTERPRISE": "true", "GOOGLE_API_KEY": "other-key",
		"GOOGLE_GEMINI_BASE_URL": other.URL, "GOOGLE_VERTEX_BASE_URL": other.URL,
		"GOOGLE_CLOUD_PROJECT": "p", "GOOGLE_CLOUD_LOCATION": "us",
	} {
		t.Setenv(key, value)
	}
	if os.Getenv("GOOGLE_API_KEY") == "" {
		t.Fatal("the environment is not set")
	}
	server, m := open(t)
	if text, _, err := chat(t.Context(), m, say("hello")); err != nil || text != geminitest.Greeting {
		t.Errorf("%q, %v", text, err)
	}
	if len(server.Requests()) != 1 || server.Last().Header.Get("x-goog-api-key") != geminitest.Key || len(other.Requests())+other.Refused() != 0 {
		t.Error("the request went to another address")
	}
}
