package llama

import (
	"context"
	"testing"

	"github.com/lexilingo/modelgateway/engines/jsongrammar"
	"github.com/lexilingo/modelgateway/engines/llama/batching"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// BenchmarkGrammar measures what a grammar adds to the choice of a token: the time per
// token of the starter without a grammar, with tools that it may call, and with a schema.
func BenchmarkGrammar(b *testing.B) {
	m, err := tryLoad(starter(), nil)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	object, err := jsongrammar.Schema(`{"type":"object","properties":{"text":{"type":"string"}},"required":["text"]}`, "x")
	if err != nil {
		b.Fatal(err)
	}
	tools, err := jsongrammar.Chat(&gatewayv1.ChatRequest{Tools: []*gatewayv1.Tool{{Name: "now"}}}, jsongrammar.Syntax{
		Prefix: "<tool_call>\n{", Middle: ": ", Suffix: "}", Trigger: "<tool_call>",
	})
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct{ name, grammar string }{{"none", ""}, {"tools", tools}, {"schema", object}} {
		b.Run(c.name, func(b *testing.B) {
			tokens := 0
			for b.Loop() {
				result, err := m.generate(context.Background(), task{
					messages: conversation("", "Tell me a long story."), sampling: greedy(64), grammar: c.grammar,
				}, func(batching.Output) error { return nil })
				if err != nil {
					b.Fatal(err)
				}
				tokens += result.CompletionTokens
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(tokens), "µs/token")
		})
	}
}
