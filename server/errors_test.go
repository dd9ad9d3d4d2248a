package server

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// failingModels has a model for each way to fail.
const failingModels = `
grpc_listen: 127.0.0.1:0
http_listen: 127.0.0.1:0
max_memory_mb: 1000
cpu_threads: 64
drain_timeout: 10s
log: {level: info, format: json}
engines:
  fault: {command: [engine-fault]}
models:
  qwen: {engine: fault, path: MODEL, memory_mb: 32, threads: 1, max_concurrency: 8}
  whisper: {engine: whisper, path: MODEL, memory_mb: 32}
  huge: {engine: fault, path: MODEL, memory_mb: 1001}
  missing: {engine: fault, path: MODEL.absent, memory_mb: 32}
  corrupt: {engine: fault, path: MODEL.corrupt, memory_mb: 32}
  deaf: {engine: fault, path: MODEL, memory_mb: 32, threads: 1, parameters: {fault: error, error_reason: AUDIO_UNREADABLE}}
  mistyped: {engine: fault, path: MODEL, memory_mb: 32, parameters: {allocate_byte: 1}}
  broken: {engine: fault, path: MODEL, memory_mb: 32, parameters: {load_fault: crash}}
  pinned: {engine: fault, path: MODEL, memory_mb: 600, threads: 1}
  big: {engine: fault, path: MODEL, memory_mb: 600, threads: 1}
  narrow: {engine: fault, path: MODEL, memory_mb: 32, threads: 1, max_concurrency: 1, queue: 1}
tasks:
  chat: {primary: qwen}
  transcribe: {primary: whisper}
`

// chatOf returns a function that chats with a model and returns the error.
func chatOf(model, text string) func(context.Context, *running) error {
	return func(ctx context.Context, r *running) error {
		_, err := r.chat.Chat(ctx, &gatewayv1.ChatRequest{Model: model, Messages: say(text)})
		return err
	}
}

// request is a REST request that causes an error.
type request struct{ path, body, timeout string }

func chatBody(model, text string) request {
	content, _ := json.Marshal(text)
	return request{path: "/v1/chat", body: `{"model":"` + model + `","messages":[{"role":"ROLE_USER","content":` + string(content) + `}]}`}
}

const (
	crashes = `fault: {"fault":"crash"}`
	stalls  = `fault: {"fault":"stall"}`
	panics  = `fault: {"fault":"panic"}`
)

// fails returns a text for which engine-fault fails with a reason.
func fails(reason string) string { return `fault: {"fault":"error","error_reason":"` + reason + `"}` }

// Each row of the error table that a caller can cause, over gRPC and REST.
func TestErrorTable(t *testing.T) {
	r := start(t, failingModels)
	if err := os.WriteFile(r.cfg.Models["corrupt"].ResolvedPath, []byte("corrupt"), 0o600); err != nil {
		t.Fatal(err)
	}
	load(t, r, "pinned", true)
	t.Cleanup(occupy(t, r, "narrow"))
	stalling := chatBody("qwen", stalls)
	stalling.timeout = "200m"
	rows := []struct {
		reason errs.Reason
		code   codes.Code
		http   int
		retry  bool
		grpc   func(context.Context, *running) error
		rest   request
	}{
		{errs.InvalidRequest, codes.InvalidArgument, 400, false, func(ctx context.Context, r *running) error {
			_, err := r.chat.Chat(ctx, &gatewayv1.ChatRequest{})
			return err
		}, request{path: "/v1/chat", body: `{}`}},
		{errs.ConfigNotFirst, codes.InvalidArgument, 400, false, audioFirst, request{path: "/v1/transcriptions:open", body: `{}`}},
		{errs.AudioUnreadable, codes.InvalidArgument, 400, false, func(ctx context.Context, r *running) error {
			_, err := r.chat.Recognize(ctx, &gatewayv1.RecognizeRequest{
				Config: &gatewayv1.TranscriptionConfig{Model: "deaf"}, Audio: []byte("RIFF"),
			})
			return err
		}, request{path: "/v1/transcribe", body: `{"config":{"model":"deaf"},"audio":"UklGRg=="}`}},
		{errs.ModelNotFound, codes.NotFound, 404, false, chatOf("nobody", "x"), chatBody("nobody", "x")},
		{errs.TaskUnknown, codes.NotFound, 404, false, func(ctx context.Context, r *running) error {
			_, err := r.chat.ExecuteTask(ctx, &gatewayv1.ExecuteTaskRequest{TaskType: "juggle"})
			return err
		}, request{path: "/v1/tasks/juggle", body: `{}`}},
		{errs.ModelExceedsBudget, codes.FailedPrecondition, 400, false, chatOf("huge", "x"), chatBody("huge", "x")},
		{errs.ModelFileMissing, codes.FailedPrecondition, 400, false, chatOf("missing", "x"), chatBody("missing", "x")},
		{errs.ModelFileInvalid, codes.FailedPrecondition, 400, false, chatOf("corrupt", "x"), chatBody("corrupt", "x")},
		{errs.ModelConfigInvalid, codes.FailedPrecondition, 400, false, chatOf("mistyped", "x"), chatBody("mistyped", "x")},
		{errs.EngineUnavailable, codes.FailedPrecondition, 400, false, func(ctx context.Context, r *running) error {
			_, err := r.chat.Recognize(ctx, &gatewayv1.RecognizeRequest{Audio: []byte("RIFF")})
			return err
		}, request{path: "/v1/transcribe", body: `{"audio":"UklGRg=="}`}},
		{errs.MemoryBusy, codes.ResourceExhausted, 429, true, chatOf("big", "x"), chatBody("big", "x")},
		{errs.QueueFull, codes.ResourceExhausted, 429, true, chatOf("narrow", "x"), chatBody("narrow", "x")},
		{errs.RateLimited, codes.ResourceExhausted, 429, true, chatOf("qwen", fails("RATE_LIMITED")), chatBody("qwen", fails("RATE_LIMITED"))},
		{errs.Unauthenticated, codes.Unauthenticated, 401, false, chatOf("qwen", fails("UNAUTHENTICATED")), chatBody("qwen", fails("UNAUTHENTICATED"))},
		{errs.Forbidden, codes.PermissionDenied, 403, false, chatOf("qwen", fails("FORBIDDEN")), chatBody("qwen", fails("FORBIDDEN"))},
		{errs.EngineCrashed, codes.Unavailable, 503, true, chatOf("qwen", crashes), chatBody("qwen", crashes)},
		{errs.DeadlineExceeded, codes.DeadlineExceeded, 504, false, func(ctx context.Context, r *running) error {
			ctx, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
			defer cancel()
			return chatOf("qwen", stalls)(ctx, r)
		}, stalling},
		{errs.Internal, codes.Internal, 500, false, chatOf("qwen", panics), chatBody("qwen", panics)},
	}
	for _, row := range rows {
		t.Run(errs.ReasonName(row.reason), func(t *testing.T) {
			// The first of two calls fails with the load. The second would fail with
			// the cooldown.
			err := row.grpc(within(t, 20*time.Second), r)
			coolDown(t, r)
			checkStatus(t, err, row.code, row.reason, row.retry)
			var header []string
			if row.rest.timeout != "" {
				header = []string{"Grpc-Timeout", row.rest.timeout}
			}
			resp, body := r.post(t, row.rest.path, row.rest.body, header...)
			coolDown(t, r)
			checkHTTP(t, resp, body, row.http, row.code, row.reason, row.retry)
		})
	}
	t.Run("LOAD_COOLDOWN", func(t *testing.T) {
		if err := chatOf("broken", "x")(within(t, 20*time.Second), r); errs.ReasonOf(err) != errs.EngineCrashed {
			t.Fatal(err)
		}
		checkStatus(t, chatOf("broken", "x")(within(t, 20*time.Second), r), codes.Unavailable, errs.LoadCooldown, true)
		req := chatBody("broken", "x")
		resp, body := r.post(t, req.path, req.body)
		checkHTTP(t, resp, body, 503, codes.Unavailable, errs.LoadCooldown, true)
	})
}

// A wrong configuration of a model is not a fault of the caller, whatever the engine
// calls it: a fallback answers.
func TestWrongConfigurationFallsBack(t *testing.T) {
	const models = `
engines:
  fault: {command: [engine-fault]}
models:
  mistyped: {engine: fault, path: MODEL, memory_mb: 32, parameters: {allocate_byte: 1}}
  deaf: {engine: fault, path: MODEL, memory_mb: 32, parameters: {load_fault: error, load_error_reason: AUDIO_UNREADABLE}}
  good: {engine: fault, path: MODEL, memory_mb: 32}
tasks:
  chat: {primary: PRIMARY, fallbacks: [good]}
`
	for _, primary := range []string{"mistyped", "deaf"} {
		r := start(t, onLoopback+strings.ReplaceAll(models, "PRIMARY", primary))
		answer, err := r.chat.Chat(within(t, 20*time.Second), &gatewayv1.ChatRequest{Messages: say("x")})
		if err != nil {
			t.Fatal(err)
		}
		if s := answer.GetServedBy(); s.GetModel() != "good" || s.GetFallbackReason() != gatewayv1.FallbackReason_FALLBACK_REASON_MODEL_CONFIG_INVALID {
			t.Errorf("served by %v", s)
		}
	}
}

// Errors of engines, and of the libraries whose words they pass on, name files but not
// the folders of the server.
func TestErrorsHideThePathsOfTheServer(t *testing.T) {
	r := start(t, onLoopback+`
engines:
  fault: {command: [engine-fault]}
models:
  talkative: {engine: fault, path: MODEL, memory_mb: 32, parameters: {load_fault: error, load_error_text: "open /srv/private/models/x.onnx: /usr/lib/private/libx.so is too old; see https://example.org/a/b or and/or"}}
  missing: {engine: fault, path: MODEL.absent, memory_mb: 32}
  good: {engine: fault, path: MODEL, memory_mb: 32}
tasks:
  chat: {primary: good}
`)
	path := r.cfg.Models["good"].ResolvedPath
	text := `{"fault":"error","error_reason":"RATE_LIMITED","error_text":"cannot map ` + path + `; /home/of/caller stays"}`
	for _, c := range []struct{ model, text, want string }{
		{"talkative", "x", "open x.onnx: libx.so is too old; see https://example.org/a/b or and/or"},
		{"good", "fault: " + text, "cannot map " + filepath.Base(path) + "; /home/of/caller stays"},
		{"missing", "x", "does not exist"},
	} {
		err := chatOf(c.model, c.text)(within(t, 20*time.Second), r)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), filepath.Dir(path)) {
			t.Errorf("%s: %v; want %q in it, and not %q", c.model, err, c.want, filepath.Dir(path))
		}
	}
	listed, err := r.admin.ListModels(within(t, 20*time.Second), &gatewayv1.ListModelsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, hidden := range []string{"/srv/private", "/usr/lib/private"} {
		if strings.Contains(listed.String(), hidden) {
			t.Errorf("the list of the models has %s", hidden)
		}
		if !strings.Contains(r.logs.String(), hidden) {
			t.Errorf("the log lacks %s", hidden)
		}
	}
}

// onLoopback begins a configuration whose server listens on free ports.
const onLoopback = `
grpc_listen: 127.0.0.1:0
http_listen: 127.0.0.1:0
`

// The retry delay that an engine gives reaches the caller.
func TestRetryDelayOfTheEngineReachesCallers(t *testing.T) {
	r := start(t, faultModels)
	const limited = `fault: {"fault":"error","error_reason":"RATE_LIMITED","error_retry_ms":6500}`
	_, advice := details(status.Convert(chatOf("qwen", limited)(within(t, 20*time.Second), r)))
	if advice.GetRetryDelay().AsDuration() != 6500*time.Millisecond {
		t.Errorf("gRPC: %v", advice)
	}
	req := chatBody("qwen", limited)
	resp, body := r.post(t, req.path, req.body)
	if resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("Retry-After") != "7" {
		t.Errorf("REST: %d, Retry-After %q, %s", resp.StatusCode, resp.Header.Get("Retry-After"), body)
	}
}

// audioFirst sends audio before the config.
func audioFirst(ctx context.Context, r *running) error {
	stream, err := r.chat.Transcribe(ctx)
	if err != nil {
		return err
	}
	if err := stream.Send(&gatewayv1.TranscribeRequest{Payload: &gatewayv1.TranscribeRequest_Audio{Audio: []byte{1}}}); err != nil {
		return err
	}
	_, err = stream.CloseAndRecv()
	return err
}

func TestInvalidRequestsNameTheirFields(t *testing.T) {
	r := start(t, faultModels)
	_, err := r.chat.Grammar(within(t, time.Second), &gatewayv1.GrammarRequest{
		Sampling: &gatewayv1.SamplingOptions{Temperature: new(float32(7)), MaxTokens: new(int32(0))},
	})
	info, _ := details(status.Convert(err))
	for _, field := range []string{"text", "sampling.temperature", "sampling.max_tokens"} {
		if !strings.Contains(info.GetMetadata()["fields"], field) || !strings.Contains(err.Error(), field) {
			t.Errorf("%s is not named: %v", field, err)
		}
	}
	for body, want := range map[string]string{
		`{"messages":[`:    "unexpected",
		`{"massages":[]}`:  "massages",
		`{"messages":"x"}`: "unexpected",
	} {
		resp, text := r.post(t, "/v1/chat", body)
		if resp.StatusCode != http.StatusBadRequest || !strings.Contains(text, `"INVALID_REQUEST"`) || !strings.Contains(text, want) {
			t.Errorf("%s: %d %s", body, resp.StatusCode, text)
		}
	}
}

func TestDetailsOfInternalErrorsAreOnlyLogged(t *testing.T) {
	r := start(t, faultModels)
	err := chatOf("qwen", panics)(within(t, 20*time.Second), r)
	st := status.Convert(err)
	info, _ := details(st)
	id := info.GetMetadata()["error_id"]
	if st.Code() != codes.Internal || strings.Contains(st.Message(), "as requested") || id == "" {
		t.Errorf("%v", err)
	}
	if !strings.Contains(r.logs.String(), id) {
		t.Error("the log lacks the error with its id")
	}
}

func TestUnknownPathsAnswerWithJSON(t *testing.T) {
	r := start(t, faultModels)
	resp, body := r.get(t, "/v1/nothing")
	if resp.StatusCode != http.StatusNotFound || !json.Valid([]byte(body)) {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	if resp, body = r.get(t, "/nothing"); resp.StatusCode != http.StatusNotFound || !json.Valid([]byte(body)) {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	if resp, body = r.get(t, "/v1/chat"); resp.StatusCode != http.StatusNotImplemented && resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

func TestExecuteTaskAndInvoke(t *testing.T) {
	r := start(t, faultModels+"  grammar: {primary: qwen}\n  echo: {primary: qwen, method: echo}\n")
	ctx := within(t, 20*time.Second)
	params := func(m map[string]any) *structpb.Struct {
		s, err := structpb.NewStruct(m)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	chat, err := r.chat.ExecuteTask(ctx, &gatewayv1.ExecuteTaskRequest{TaskType: "chat", Params: params(map[string]any{
		"text": "Hello", "system_prompt": "You are a tutor", "max_tokens": 2,
	})})
	if err != nil || chat.GetData().GetFields()["text"].GetStringValue() != "The quick " || chat.GetServedBy().GetModel() != "qwen" {
		t.Errorf("chat: %v, %v", chat, err)
	}
	grammar, err := r.chat.Invoke(ctx, &gatewayv1.InvokeRequest{ModelName: "qwen", Method: "analyze_grammar", Params: params(map[string]any{"text": "I goes"})})
	if err != nil || grammar.GetData().GetFields()["corrected_text"].GetStringValue() != "I goes" {
		t.Errorf("grammar: %v, %v", grammar, err)
	}
	named, err := r.chat.Invoke(ctx, &gatewayv1.InvokeRequest{ModelName: "qwen", Method: "invoke", Params: params(map[string]any{"task": "chat", "text": "Hello"})})
	if err != nil || named.GetData().GetFields()["text"].GetStringValue() == "" {
		t.Errorf("invoke: %v, %v", named, err)
	}
	for name, call := range map[string]func() (*structpb.Struct, error){
		"own method": func() (*structpb.Struct, error) {
			resp, err := r.chat.Invoke(ctx, &gatewayv1.InvokeRequest{ModelName: "qwen", Method: "echo", Params: params(map[string]any{"a": "b"})})
			return resp.GetData(), err
		},
		"own task": func() (*structpb.Struct, error) {
			resp, err := r.chat.ExecuteTask(ctx, &gatewayv1.ExecuteTaskRequest{TaskType: "echo", Params: params(map[string]any{"a": "b"})})
			return resp.GetData(), err
		},
	} {
		if data, err := call(); err != nil || data.GetFields()["a"].GetStringValue() != "b" {
			t.Errorf("%s: %v, %v", name, data, err)
		}
	}
	for _, bad := range []map[string]any{{}, {"text": 7}, {"text": "x", "sistem_prompt": "y"}} {
		_, err := r.chat.ExecuteTask(ctx, &gatewayv1.ExecuteTaskRequest{TaskType: "chat", Params: params(bad)})
		if errs.ReasonOf(err) != errs.InvalidRequest {
			t.Errorf("%v: %v", bad, err)
		}
	}
	resp, body := r.post(t, "/v1/tasks/chat", `{"params":{"text":"Hello"}}`)
	if resp.StatusCode != http.StatusOK || !strings.Contains(body, `"text":"The quick`) {
		t.Errorf("REST: %d %s", resp.StatusCode, body)
	}
}

func TestSecondServerCannotShareStateOrAddress(t *testing.T) {
	r := start(t, faultModels)
	cfg := loadConfig(t, faultModels)
	cfg.StateDir = r.cfg.StateDir
	if _, err := New(Options{Config: cfg, Log: r.log, Version: "test"}); err == nil || !strings.Contains(err.Error(), "--state-dir") {
		t.Errorf("a second server with the same state: %v", err)
	}
	cfg.StateDir = filepath.Join(t.TempDir(), "other")
	cfg.GRPCListen = r.GRPCAddr().String()
	if _, err := New(Options{Config: cfg, Log: r.log, Version: "test"}); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("a second server on the same address: %v", err)
	}
}
