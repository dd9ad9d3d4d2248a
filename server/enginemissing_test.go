package server

import (
	"testing"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// If both the engine and the model's file are missing, the error names the engine:
// the file is of no use without it.
func TestMissingEngineIsNamedBeforeMissingFile(t *testing.T) {
	r := start(t, `
grpc_listen: 127.0.0.1:0
http_listen: 127.0.0.1:0
models:
  piper: {engine: piper, path: /nonexistent/voice.onnx, memory_mb: 64}
`)
	stream, err := r.chat.Synthesize(t.Context(), &gatewayv1.SynthesizeRequest{
		Input: &gatewayv1.SynthesizeRequest_Text{Text: "hello"},
		Model: "piper",
	})
	if err == nil {
		_, err = stream.Recv()
	}
	if errs.ReasonOf(err) != errs.EngineUnavailable {
		t.Errorf("got %v, want ENGINE_UNAVAILABLE", err)
	}
}
