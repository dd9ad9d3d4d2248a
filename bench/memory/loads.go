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

// load is the work for a model.
type load struct {
	name, engine, task, path string
	// concurrency is the default of the engine.
	concurrency int
	// what a call is, for the report.
	what string
	call func(ctx context.Context, client gatewayv1.ModelGatewayServiceClient) error
}

const (
	// clipSeconds is longer than a window of whisper.
	clipSeconds = 40
	beams       = 5
	// phonemes is the number that the engine processes at once.
	phonemes = 150
	// promptWords and maxTokens fill a part of the context.
	promptWords, maxTokens = 100, 16
)

func loads(o options, speech benchkit.Clip) []load {
	long := speech.Cut(clipSeconds).WAV()
	all := []load{
		{"whisper", "whisper", "transcribe", o.whisper, 2, fmt.Sprintf("a recording of %d s with %d beams", clipSeconds, beams),
			func(ctx context.Context, client gatewayv1.ModelGatewayServiceClient) error {
				_, err := client.Recognize(ctx, &gatewayv1.RecognizeRequest{Audio: long, Config: &gatewayv1.TranscriptionConfig{BeamSize: beams}})
				return err
			}},
		{"piper", "piper", "synthesize", o.piper, 2, fmt.Sprintf("2 sentences of %d phonemes", phonemes), speak},
	}
	for _, seconds := range []float64{10, 20} {
		all = append(all, load{"hubert", "hubert", "pronunciation", o.hubert, 1, fmt.Sprintf("a recording of %g s", seconds), pronounce(speech.Cut(seconds).WAV())})
	}
	return append(all, load{"llama", "llama", "chat", o.llama, 4, fmt.Sprintf("a prompt of %d words, %d tokens", promptWords, maxTokens), chat})
}

func speak(ctx context.Context, client gatewayv1.ModelGatewayServiceClient) error {
	sentence := strings.Repeat("hɛloʊ ", phonemes/6-1) + "hɛloʊ. "
	stream, err := client.Synthesize(ctx, &gatewayv1.SynthesizeRequest{
		Input: &gatewayv1.SynthesizeRequest_Phonemes{Phonemes: strings.Repeat(sentence, 2)},
	})
	for err == nil {
		_, err = stream.Recv()
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

func pronounce(clip []byte) func(context.Context, gatewayv1.ModelGatewayServiceClient) error {
	return func(ctx context.Context, client gatewayv1.ModelGatewayServiceClient) error {
		_, err := client.Pronunciation(ctx, &gatewayv1.PronunciationRequest{
			Audio: clip, ReferenceText: "And so my fellow Americans ask not what your country can do for you",
		})
		return err
	}
}

func chat(ctx context.Context, client gatewayv1.ModelGatewayServiceClient) error {
	limit := int32(maxTokens)
	_, err := client.Chat(ctx, &gatewayv1.ChatRequest{
		Messages: []*gatewayv1.ChatMessage{{Role: gatewayv1.Role_ROLE_USER, Content: strings.Repeat("word ", promptWords)}},
		Sampling: &gatewayv1.SamplingOptions{MaxTokens: &limit},
	})
	return err
}
