package llama

import (
	"context"
	"testing"

	"github.com/lexilingo/modelgateway/engines/jsongrammar"
	"github.com/lexilingo/modelgateway/engines/llama/batching"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// BenchmarkGrammar measures the choice of a token, without the computation of the model:
// without a grammar, with tools that the model may call, and within a string of a schema.
func BenchmarkGrammar(b *testing.B) {
	m, err := tryLoad(starter(), nil)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	tools, err := jsongrammar.Chat(&gatewayv1.ChatRequest{Tools: []*gatewayv1.Tool{{Name: "now"}}}, jsongrammar.Syntax{
		Prefix: "<tool_call>\n{", Middle: ": ", Suffix: "}", Trigger: "<tool_call>",
	})
	if err != nil {
		b.Fatal(err)
	}
	schema, err := jsongrammar.Schema(`{"type":"string"}`, "x")
	if err != nil {
		b.Fatal(err)
	}
	// The last batch computes one token, whose output is then sampled again and again.
	if _, err := m.generate(context.Background(), task{messages: conversation("", "Tell me a story."), sampling: greedy(8)},
		func(batching.Output) error { return nil }); err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct{ name, grammar string }{{"none", ""}, {"tools", tools}, {"schema", schema}} {
		b.Run(c.name, func(b *testing.B) {
			options := sampling(m.sampling, greedy(1), 0)
			options.Grammar = c.grammar
			chooser, err := m.weights.NewSampler(options)
			if err != nil {
				b.Fatal(err)
			}
			defer chooser.Close()
			chooser.Sample(m.context, 0) // in a string, the quote
			for b.Loop() {
				if chooser.Sample(m.context, 0) == batching.NoToken {
					b.Fatal("the grammar allows nothing")
				}
				chooser.Forced()
			}
		})
	}
}
