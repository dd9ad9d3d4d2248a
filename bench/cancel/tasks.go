package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/lexilingo/modelgateway/bench/internal/benchkit"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// task is work that takes seconds, so that it can be cancelled.
type task struct {
	engine, task string
	// parameters of the model, in YAML.
	parameters string
	// what the work is, for the report.
	what string
	call func(ctx context.Context, client gatewayv1.ModelGatewayServiceClient, round int) error
}

// config is the configuration with the model of a task.
const config = `
models:
  model:
    engine: %s
    path: %q
    priority: critical
    threads: %d
    parameters: {%s}
tasks:
  %s: {primary: model}
`

// newTask returns the task of an engine.
func newTask(ctx context.Context, o options) (task, error) {
	switch o.engine {
	case "llama":
		return task{"llama", "chat", "n_ctx: 4096", fmt.Sprintf("a prompt of %d words", o.tokens), chat(o.tokens)}, nil
	case "whisper":
		speech, err := benchkit.ReadClip(ctx, o.audio)
		// One window of 30 s, of which the encoder takes most of the time.
		return task{"whisper", "transcribe", "temperature_inc: 0, silence_threshold: 0", "a recording of 28 s", recognise(speech.Cut(28).WAV())}, err
	case "piper":
		return task{"piper", "synthesize", "", fmt.Sprintf("%d sentences of %d phonemes", sentences, phonemes), speak}, nil
	case "hubert":
		speech, err := benchkit.ReadClip(ctx, o.audio)
		return task{"hubert", "pronunciation", "", "a recording of 15 s", pronounce(speech.Cut(15).WAV())}, err
	}
	return task{}, fmt.Errorf("unknown engine %q; known are llama, whisper, piper and hubert", o.engine)
}

func chat(tokens int) func(context.Context, gatewayv1.ModelGatewayServiceClient, int) error {
	return func(ctx context.Context, client gatewayv1.ModelGatewayServiceClient, round int) error {
		// Each prompt starts differently, so that nothing is cached.
		prompt := fmt.Sprintf("Round %d.%s", round, strings.Repeat(" word", tokens))
		_, err := client.Chat(ctx, &gatewayv1.ChatRequest{
			Messages: []*gatewayv1.ChatMessage{{Role: gatewayv1.Role_ROLE_USER, Content: prompt}},
		})
		return err
	}
}

func recognise(clip []byte) func(context.Context, gatewayv1.ModelGatewayServiceClient, int) error {
	return func(ctx context.Context, client gatewayv1.ModelGatewayServiceClient, _ int) error {
		_, err := client.Recognize(ctx, &gatewayv1.RecognizeRequest{Audio: clip, Config: &gatewayv1.TranscriptionConfig{BeamSize: 1}})
		return err
	}
}

// A sentence has as many phonemes as the engine processes at once. There are more
// sentences than can be spoken before the cancellation.
const sentences, phonemes = 20, 150

func speak(ctx context.Context, client gatewayv1.ModelGatewayServiceClient, _ int) error {
	sentence := strings.Repeat("hɛloʊ ", phonemes/6-1) + "hɛloʊ. "
	stream, err := client.Synthesize(ctx, &gatewayv1.SynthesizeRequest{
		Input: &gatewayv1.SynthesizeRequest_Phonemes{Phonemes: strings.Repeat(sentence, sentences)},
	})
	for err == nil {
		_, err = stream.Recv()
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

func pronounce(clip []byte) func(context.Context, gatewayv1.ModelGatewayServiceClient, int) error {
	return func(ctx context.Context, client gatewayv1.ModelGatewayServiceClient, _ int) error {
		_, err := client.Pronunciation(ctx, &gatewayv1.PronunciationRequest{
			Audio: clip, ReferenceText: "And so my fellow Americans ask not what your country can do for you",
		})
		return err
	}
}
