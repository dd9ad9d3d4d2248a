// Command go calls a running server with OpenAI's client for Go, as its users do:
//
//	go run . BASE_URL RECORDING
//
// It prints "ok", or fails with what differs from what the client documents.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/packages/param"
	"github.com/openai/openai-go/v3/shared"
)

func main() {
	c := &caller{client: openai.NewClient(option.WithBaseURL(os.Args[1]), option.WithAPIKey("any"))}
	for _, check := range []func(context.Context) error{c.models, c.chat, c.schema, c.tools, c.failure} {
		if err := check(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	if err := c.speech(context.Background(), os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("ok")
}

type caller struct{ client openai.Client }

func (c *caller) models(ctx context.Context) error {
	var names []string
	list := c.client.Models.ListAutoPaging(ctx)
	for list.Next() {
		names = append(names, list.Current().ID)
	}
	if list.Err() != nil || !slices.Contains(names, "qwen") {
		return fmt.Errorf("models: %q, %w", names, list.Err())
	}
	return nil
}

// ask returns a request with a user's message.
func ask(text string, tokens int64) openai.ChatCompletionNewParams {
	return openai.ChatCompletionNewParams{
		Model: "chat", Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage(text)},
		Temperature: param.NewOpt(0.0), MaxCompletionTokens: param.NewOpt(tokens),
	}
}

func (c *caller) chat(ctx context.Context) error {
	req := ask("Hello, how are you?", 20)
	whole, err := c.client.Chat.Completions.New(ctx, req)
	if err != nil || whole.Choices[0].Message.Content == "" || whole.Usage.CompletionTokens == 0 {
		return fmt.Errorf("chat: %v, %w", whole, err)
	}
	req.StreamOptions.IncludeUsage = param.NewOpt(true)
	stream := c.client.Chat.Completions.NewStreaming(ctx, req)
	all := openai.ChatCompletionAccumulator{}
	finished := false
	for stream.Next() {
		all.AddChunk(stream.Current())
		_, done := all.JustFinishedContent()
		finished = finished || done
	}
	if stream.Err() != nil || !finished || all.Choices[0].Message.Content == "" || all.Usage.CompletionTokens == 0 {
		return fmt.Errorf("stream: %v, %w", all, stream.Err())
	}
	return nil
}

func (c *caller) schema(ctx context.Context) error {
	req := ask("Write JSON about Anna, who is 31 years old and likes chess.", 200)
	req.ResponseFormat.OfJSONSchema = &shared.ResponseFormatJSONSchemaParam{JSONSchema: shared.ResponseFormatJSONSchemaJSONSchemaParam{
		Name: "person", Strict: param.NewOpt(true), Schema: map[string]any{
			"type": "object", "additionalProperties": false, "required": []string{"name", "age"},
			"properties": map[string]any{"name": map[string]any{"type": "string", "maxLength": 40}, "age": map[string]any{"type": "integer", "minimum": 0}},
		},
	}}
	answer, err := c.client.Chat.Completions.New(ctx, req)
	if err != nil {
		return fmt.Errorf("schema: %w", err)
	}
	var person struct {
		Name string
		Age  int
	}
	if err := json.Unmarshal([]byte(answer.Choices[0].Message.Content), &person); err != nil || !strings.Contains(person.Name, "Anna") || person.Age != 31 {
		return fmt.Errorf("schema: %v, %w", answer, err)
	}
	return nil
}

// tools has the model call a tool, whole and as a stream, and checks that it uses the
// tool's answer.
func (c *caller) tools(ctx context.Context) error {
	req := ask("What is the temperature in Hanoi?", 100)
	req.Tools = []openai.ChatCompletionToolUnionParam{openai.ChatCompletionFunctionTool(shared.FunctionDefinitionParam{
		Name: "get_temperature", Description: param.NewOpt("Returns the temperature in a city"),
		Parameters: shared.FunctionParameters{
			"type": "object", "required": []string{"city"}, "properties": map[string]any{"city": map[string]any{"type": "string", "maxLength": 30}},
		},
	})}
	req.ToolChoice.OfAuto = param.NewOpt("required")
	req.ParallelToolCalls = param.NewOpt(false)
	whole, err := c.client.Chat.Completions.New(ctx, req)
	if err != nil || len(whole.Choices[0].Message.ToolCalls) != 1 {
		return fmt.Errorf("tools: %v, %w", whole, err)
	}
	message := whole.Choices[0].Message
	stream := c.client.Chat.Completions.NewStreaming(ctx, req)
	all := openai.ChatCompletionAccumulator{}
	var called string
	for stream.Next() {
		all.AddChunk(stream.Current())
		if call, ok := all.JustFinishedToolCall(); ok {
			called = call.Arguments
		}
	}
	if stream.Err() != nil || !strings.Contains(called, "Hanoi") || !strings.Contains(message.ToolCalls[0].Function.Arguments, "Hanoi") {
		return fmt.Errorf("tools as a stream: %q, %v, %w", called, all, stream.Err())
	}
	req.Messages = append(req.Messages, message.ToParam(), openai.ToolMessage(`{"temperature": 37, "unit": "celsius"}`, message.ToolCalls[0].ID))
	req.ToolChoice.OfAuto = param.NewOpt("none")
	answer, err := c.client.Chat.Completions.New(ctx, req)
	if err != nil || !strings.Contains(answer.Choices[0].Message.Content, "37") {
		return fmt.Errorf("the tool's answer: %v, %w", answer, err)
	}
	return nil
}

func (c *caller) failure(ctx context.Context) error {
	req := ask("Hi.", 20)
	req.Model = "gpt-9"
	_, err := c.client.Chat.Completions.New(ctx, req)
	var failed *openai.Error
	if !errors.As(err, &failed) || failed.StatusCode != http.StatusNotFound || failed.Code != "model_not_found" || failed.Param != "model" {
		return fmt.Errorf("unknown model: %w", err)
	}
	return nil
}

func (c *caller) speech(ctx context.Context, recording string) error {
	resp, err := c.client.Audio.Speech.New(ctx, openai.AudioSpeechNewParams{
		Model: "tts-1", Voice: openai.AudioSpeechNewParamsVoiceUnion{OfString: param.NewOpt("alloy")}, Input: "Good morning.",
	})
	if err != nil {
		return fmt.Errorf("speech: %w", err)
	}
	said, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil || resp.Header.Get("Content-Type") != "audio/mpeg" || !bytes.HasPrefix(said, []byte("\xff")) {
		return fmt.Errorf("speech: %v, %.20q, %w", resp.Header, said, err)
	}
	file, err := os.Open(recording)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	heard, err := c.client.Audio.Transcriptions.New(ctx, openai.AudioTranscriptionNewParams{Model: "whisper-1", File: file, Language: param.NewOpt("en")})
	if err != nil || !strings.Contains(heard.Text, "fox") {
		return fmt.Errorf("transcription: %v, %w", heard, err)
	}
	return nil
}
