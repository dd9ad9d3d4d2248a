package main

import (
	"slices"

	"github.com/lexilingo/modelgateway/test/internal/calls"
)

// served is what gateways serve, and what clients ask for.
type served struct {
	models string // of the configuration
	kinds  []calls.Call
	model  string // that the requests name
	// slow is the model of requests that wait for each other, and queue its name.
	slow, queue string
	// counts: transcripts say how many bytes were heard.
	counts bool
}

// faultModels cost nothing. A chat of slow takes 0.2 s, and only one runs at a time; talk
// has places for eight.
func faultModels() served {
	return served{kinds: calls.Inferences(), model: "quick", slow: "slow", queue: "slow", counts: true, models: `
cpu_threads: 64
engines:
  fault: {command: [engine-fault], max_concurrency: 64}
models:
  quick: {engine: fault, path: DIR/model.bin, memory_mb: 30, threads: 1, idle_timeout: 0s, preload: true}
  slow: {engine: fault, path: DIR/model.bin, memory_mb: 30, threads: 1, idle_timeout: 0s, preload: true, max_concurrency: 1, parameters: {token_count: 20, token_interval_us: 10000}}
  numbers: {engine: fault, path: DIR/model.bin, memory_mb: 30, threads: 1, idle_timeout: 0s, preload: true, parameters: {hear_numbers: true}}
  talk: {engine: fault, path: DIR/model.bin, memory_mb: 30, threads: 1, idle_timeout: 0s, preload: true, max_concurrency: 8, parameters: {token_count: 10, token_interval_us: 5000}}
tasks:
  chat: {primary: quick}
`}
}

// starterModels are those that ship with the program, for seven kinds of request.
func starterModels() served {
	wanted := []string{
		"gRPC Chat", "gRPC-Web StreamChat", "Connect Grammar", "REST respond", "REST transcribe", "gRPC Synthesize", "WebSocket synthesize",
		"gRPC OpenTranscription", "Connect OpenTranscription",
	}
	kinds := slices.DeleteFunc(calls.Inferences(), func(c calls.Call) bool { return !slices.Contains(wanted, c.Name) })
	return served{kinds: kinds, queue: "qwen", models: `
models:
  qwen: {engine: llama, path: "starter:chat.gguf", memory_mb: 256, idle_timeout: 0s, preload: true, max_concurrency: 2}
  whisper: {engine: whisper, path: "starter:whisper.bin", memory_mb: 400, idle_timeout: 0s, preload: true}
  piper: {engine: piper, path: "starter:voice.onnx", memory_mb: 192, idle_timeout: 0s, preload: true}
tasks:
  chat: {primary: qwen}
  grammar: {primary: qwen}
  respond: {primary: qwen}
  transcribe: {primary: whisper}
  synthesize: {primary: piper}
  explain_vietnamese: {primary: qwen}
`}
}
