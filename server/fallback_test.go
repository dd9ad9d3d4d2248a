package server

import (
	"io"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/engines/gemini/geminitest"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

func TestFallbackAnswersForEachCause(t *testing.T) {
	r := start(t, `
grpc_listen: 127.0.0.1:0
http_listen: 127.0.0.1:0
max_memory_mb: 1000
cpu_threads: 64
log: {level: info, format: json}
engines:
  fault: {command: [engine-fault]}
  cloud: {command: [engine-fault], cloud: true, allow: [network]}
models:
  missing: {engine: fault, path: MODEL.absent, memory_mb: 10}
  huge: {engine: fault, path: MODEL, memory_mb: 1001}
  shaky: {engine: fault, path: MODEL, memory_mb: 10, threads: 1, parameters: {fault: crash, fault_after_tokens: 2}}
  other: {engine: cloud, path: MODEL, memory_mb: 10, threads: 1, parameters: {text: "from the other "}}
  gemini: {engine: gemini}
tasks:
  chat: {primary: missing, fallbacks: [gemini, huge, other]}
  grammar: {primary: huge, fallbacks: [other]}
  respond: {primary: missing, fallbacks: [other]}
  explain_vietnamese: {primary: gemini, fallbacks: [other]}
`)
	ctx := within(t, time.Minute)
	chat, err := r.chat.Chat(ctx, &gatewayv1.ChatRequest{Messages: say("x")})
	if err != nil {
		t.Fatal(err)
	}
	served := chat.GetServedBy()
	if served.GetModel() != "other" || !served.GetFallback() || served.GetFallbackReason() != gatewayv1.FallbackReason_FALLBACK_REASON_MODEL_FILE_MISSING {
		t.Errorf("chat was served by %v", served)
	}
	grammar, err := r.chat.Grammar(ctx, &gatewayv1.GrammarRequest{Text: "x"})
	if err != nil || grammar.GetServedBy().GetFallbackReason() != gatewayv1.FallbackReason_FALLBACK_REASON_MODEL_EXCEEDS_BUDGET {
		t.Errorf("grammar: %v, %v", grammar, err)
	}
	explain, err := r.chat.ExplainVietnamese(ctx, &gatewayv1.ExplainVietnameseRequest{Text: "x"})
	if err != nil || explain.GetServedBy().GetFallbackReason() != gatewayv1.FallbackReason_FALLBACK_REASON_ENGINE_UNAVAILABLE {
		t.Errorf("explain: %v, %v", explain, err)
	}
	coolDown(t, r)
	// If no model may answer, the error is that of the first local model.
	for name, routing := range map[string]*gatewayv1.Routing{"local_only": {LocalOnly: true}, "no_fallback": {NoFallback: true}} {
		_, err := r.chat.Respond(ctx, &gatewayv1.RespondRequest{Text: "x", Routing: routing})
		if errs.ReasonOf(err) != errs.ModelFileMissing {
			t.Errorf("%s: %v", name, err)
		}
		coolDown(t, r)
	}
	if _, err := r.chat.Chat(ctx, &gatewayv1.ChatRequest{Model: "huge", Messages: say("x")}); errs.ReasonOf(err) != errs.ModelExceedsBudget {
		t.Errorf("a named model: %v", err)
	}
	_, metrics := r.get(t, "/metrics")
	for _, line := range []string{
		`modelgateway_fallbacks_total{from="missing",reason="model_file_missing",task="chat",to="other"} 1`,
		`modelgateway_requests_total{code="OK",model="other",task="chat"} 1`,
		`modelgateway_tokens_total{kind="completion",model="other"}`,
		`modelgateway_memory_budget_bytes 1.048576e+09`,
	} {
		if !strings.Contains(metrics, line) {
			t.Errorf("metrics lack %s", line)
		}
	}
}

func TestUnaryChatFallsBackAfterACrashAndAStreamDoesNot(t *testing.T) {
	r := start(t, `
grpc_listen: 127.0.0.1:0
http_listen: 127.0.0.1:0
max_memory_mb: 1000
cpu_threads: 64
log: {level: info, format: json}
engines: {fault: {command: [engine-fault]}}
models:
  shaky: {engine: fault, path: MODEL, memory_mb: 10, threads: 1, parameters: {fault: crash, fault_after_tokens: 2, token_interval_us: 100000}}
  other: {engine: fault, path: MODEL, memory_mb: 10, threads: 1, parameters: {text: "from the other"}}
tasks: {chat: {primary: shaky, fallbacks: [other]}}
`)
	chat, err := r.chat.Chat(within(t, time.Minute), &gatewayv1.ChatRequest{Messages: say("x")})
	if err != nil || chat.GetMessage().GetContent() != "from the other" || chat.GetServedBy().GetFallbackReason() != gatewayv1.FallbackReason_FALLBACK_REASON_ENGINE_CRASHED {
		t.Errorf("%v, %v", chat, err)
	}
	stream, err := r.chat.StreamChat(within(t, time.Minute), &gatewayv1.StreamChatRequest{Messages: say("x")})
	if err != nil {
		t.Fatal(err)
	}
	var pieces int
	for _, err = stream.Recv(); err == nil; _, err = stream.Recv() {
		pieces++
	}
	checkStatus(t, err, codes.Unavailable, errs.EngineCrashed, true)
	if pieces == 0 || pieces > 2 { // a crash may lose the last one
		t.Errorf("%d pieces before the end", pieces)
	}
}

func TestNoFallbackAfterTheFirstToken(t *testing.T) {
	fake := geminitest.New(t)
	r := startCloud(t, fake, faultModel("fault: crash, fault_after_tokens: 2, token_interval_us: 100000"), geminitest.Key)
	stream, err := r.chat.StreamChat(within(t, time.Minute), &gatewayv1.StreamChatRequest{Messages: say("Hello")})
	if err != nil {
		t.Fatal(err)
	}
	first, err := stream.Recv()
	if err != nil || first.GetDelta() != "The " {
		t.Fatalf("%v, %v", first, err)
	}
	checkStatus(t, drainStream(stream), codes.Unavailable, errs.EngineCrashed, true)
	if n := len(fake.Requests()); n != 0 {
		t.Errorf("Gemini got %d requests", n)
	}
}

// If the worker of a stream crashes before the first token, Gemini answers.
func TestFallbackBeforeTheFirstToken(t *testing.T) {
	fake := geminitest.New(t)
	fake.Answer(geminitest.Text("Hello ", "there"))
	r := startCloud(t, fake, faultModel("fault: crash"), geminitest.Key)
	stream, err := r.chat.StreamChat(within(t, time.Minute), &gatewayv1.StreamChatRequest{Messages: say("Hello")})
	if err != nil {
		t.Fatal(err)
	}
	var text string
	var served *gatewayv1.ServedBy
	for {
		m, err := stream.Recv()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		text, served = text+m.GetDelta(), m.GetServedBy()
	}
	if text != "Hello there" || served.GetFallbackReason() != gatewayv1.FallbackReason_FALLBACK_REASON_ENGINE_CRASHED {
		t.Errorf("%q, %v", text, served)
	}
}
