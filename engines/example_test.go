package engines_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/lexilingo/modelgateway/engines"
	"github.com/lexilingo/modelgateway/engines/enginetest"
	"github.com/lexilingo/modelgateway/engines/errs"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// parrotEngine is a complete engine. It repeats the last message.
type parrotEngine struct{}

// Describe implements engines.Engine.
func (parrotEngine) Describe() engines.Description {
	return engines.Description{
		Name: "parrot", Version: "1.0.0",
		Tasks:   []enginev1.Task{enginev1.Task_TASK_CHAT},
		Devices: []string{"cpu"},
	}
}

// Load implements engines.Engine.
func (parrotEngine) Load(ctx context.Context, opts engines.LoadOptions) (engines.Model, error) {
	settings := struct {
		Loud              bool `json:"loud"`
		PauseMilliseconds int  `json:"pause_ms"`
	}{}
	if err := engines.DecodeParameters(opts.Parameters, &settings); err != nil {
		return nil, err
	}
	if opts.Device != "" && opts.Device != "auto" && opts.Device != "cpu" {
		return nil, errs.New(errs.EngineUnavailable, "the device %q is not available: use cpu", opts.Device)
	}
	if _, err := os.Stat(opts.Path); err != nil {
		return nil, errs.New(errs.ModelFileMissing, "there is no such model file").WithCause(err)
	}
	opts.Report(0.5) // call it whenever more is loaded
	pause := time.Duration(settings.PauseMilliseconds) * time.Millisecond
	return &parrot{loud: settings.Loud, pause: pause, work: opts.Work}, ctx.Err()
}

// parrot is its model. The interfaces that it implements are the tasks that it does:
// engines.Chatter here.
type parrot struct {
	loud  bool
	pause time.Duration // before each word
	work  *engines.WorkCounter
}

// Description implements engines.Model.
func (p *parrot) Description() string { return "a parrot" }

// Close implements engines.Model.
func (p *parrot) Close() error { return nil }

// Chat implements engines.Chatter.
func (p *parrot) Chat(ctx context.Context, req *gatewayv1.ChatRequest, emit func(*gatewayv1.StreamChatResponse) error) error {
	if len(req.GetMessages()) == 0 {
		return errs.New(errs.InvalidRequest, "messages is empty: send at least one")
	}
	text := req.GetMessages()[len(req.GetMessages())-1].GetContent()
	if p.loud {
		text = strings.ToUpper(text)
	}
	words := strings.SplitAfter(text, " ")
	for _, word := range words {
		select {
		case <-time.After(p.pause):
		case <-ctx.Done(): // return within 100 ms after the end
			return ctx.Err()
		}
		p.work.Add(1) // without this, the server takes the worker for hung
		if err := emit(&gatewayv1.StreamChatResponse{Delta: word}); err != nil {
			return err
		}
	}
	n := int32(len(words))
	return emit(&gatewayv1.StreamChatResponse{
		FinishReason: gatewayv1.FinishReason_FINISH_REASON_STOP,
		Usage:        &gatewayv1.Usage{PromptTokenCount: n, CompletionTokenCount: n},
	})
}

// The main function of an engine.
func main() { engines.Serve(parrotEngine{}) }

// Example_engine shows a complete engine: the whole file. TestMain calls its main
// function if the test program is started as a worker. TestParrot runs the
// conformance suite against it.
func Example_engine() {
	fmt.Println(parrotEngine{}.Describe().Name)
	// Output: parrot
}

func TestMain(m *testing.M) {
	if os.Getenv(engines.Handshake().MagicCookieKey) != "" {
		main()
	}
	os.Exit(m.Run())
}

func TestParrot(t *testing.T) {
	say := func(text string) enginetest.Sample {
		return enginetest.Sample{Messages: []*enginev1.RunRequest{{Payload: &enginev1.RunRequest_Chat{Chat: &gatewayv1.ChatRequest{
			Messages: []*gatewayv1.ChatMessage{{Role: gatewayv1.Role_ROLE_USER, Content: text}},
		}}}}}
	}
	enginetest.Run(t, enginetest.Config{
		Command: []string{os.Args[0]},
		Load: &enginev1.LoadRequest{
			ModelName: "polly", Path: t.TempDir(), MaxConcurrency: 2,
			Parameters: parse(t, `{"pause_ms": 10, "loud": true}`),
		},
		Samples: []enginetest.Sample{say("Polly wants a cracker.")},
		Slow:    say(strings.Repeat("cracker ", 10_000)),
	})
}
