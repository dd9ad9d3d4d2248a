package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/engines/gemini/geminitest"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/internal/isolate"
)

// geminiConfig has a local model whose file is missing and Gemini as its fallback. The
// engine gemini is configured as a user may do it.
const geminiConfig = `
grpc_listen: 127.0.0.1:0
http_listen: 127.0.0.1:0
max_memory_mb: 2000
cpu_threads: 1
drain_timeout: 2s
log: {level: debug, format: json}
gemini: {api_key: "KEY", base_url: URL, timeout: 50s, retries: 0}
engines:
  fault: {command: [engine-fault]}
  gemini: {max_concurrency: 4}
models:
  qwen: {engine: fault, path: MODEL.absent, memory_mb: 64, threads: 1}
  gemini: {engine: gemini, memory_mb: 10, priority: high, idle_timeout: 30m}
tasks:
  chat: {primary: qwen, fallbacks: [gemini]}
  grammar: {primary: qwen, fallbacks: [gemini]}
  respond: {primary: qwen, fallbacks: [gemini]}
  transcribe: {primary: gemini}
  synthesize: {primary: gemini}
  pronunciation: {primary: gemini}
  explain_vietnamese: {primary: gemini, fallbacks: [qwen]}
`

// startGemini runs a server with a fake of Gemini.
func startGemini(t *testing.T, key string) (*running, *geminitest.Server) {
	t.Helper()
	cloud := geminitest.New(t)
	return start(t, strings.NewReplacer("KEY", key, "URL", cloud.URL).Replace(geminiConfig)), cloud
}

// missing checks that Gemini answered a request because a file is missing.
func missing(t *testing.T, what string, served *gatewayv1.ServedBy) {
	t.Helper()
	if served.GetModel() != "gemini" || served.GetEngine() != "gemini" || !served.GetFallback() ||
		served.GetFallbackReason() != gatewayv1.FallbackReason_FALLBACK_REASON_MODEL_FILE_MISSING {
		t.Errorf("%s was served by %v", what, served)
	}
}

func TestGeminiAnswersForAMissingModel(t *testing.T) {
	r, cloud := startGemini(t, geminitest.Key)
	ctx := within(t, time.Minute)
	unary, err := r.chat.Chat(ctx, &gatewayv1.ChatRequest{Messages: say("x")})
	if err != nil || unary.GetMessage().GetContent() != geminitest.Greeting || unary.GetUsage().GetPromptTokenCount() != 11 {
		t.Fatalf("%v, %v", unary, err)
	}
	missing(t, "the answer", unary.GetServedBy())
	stream, err := r.chat.StreamChat(ctx, &gatewayv1.StreamChatRequest{Messages: say("x")})
	if err != nil {
		t.Fatal(err)
	}
	var text string
	var last *gatewayv1.StreamChatResponse
	for pieces := 0; ; pieces++ {
		piece, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			if pieces < 3 {
				t.Errorf("the answer came in %d pieces", pieces)
			}
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		text += piece.GetDelta()
		last = piece
	}
	missing(t, "the stream", last.GetServedBy())
	if text != geminitest.Greeting || last.GetFinishReason() != gatewayv1.FinishReason_FINISH_REASON_STOP {
		t.Errorf("%q, %v", text, last)
	}
	resp, body := r.post(t, "/v1/chat", `{"messages": [{"role": "ROLE_USER", "content": "x"}]}`)
	var rest struct {
		Message  struct{ Content string }
		ServedBy struct {
			Model          string
			Fallback       bool
			FallbackReason string `json:"fallback_reason"`
		} `json:"served_by"`
	}
	if err := json.Unmarshal([]byte(body), &rest); err != nil || resp.StatusCode != http.StatusOK || rest.Message.Content != geminitest.Greeting ||
		rest.ServedBy.Model != "gemini" || !rest.ServedBy.Fallback || rest.ServedBy.FallbackReason == "" {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	grammar, err := r.chat.Grammar(ctx, &gatewayv1.GrammarRequest{Text: "She goes."})
	if err != nil || grammar.GetCorrectedText() != "She goes." || grammar.GetScore() != 100 {
		t.Errorf("%v, %v", grammar, err)
	}
	missing(t, "grammar", grammar.GetServedBy())
	if n := len(cloud.Requests()); n != 4 {
		t.Errorf("Gemini got %d requests", n)
	}
}

func TestGeminiDoesEachTask(t *testing.T) {
	r, _ := startGemini(t, geminitest.Key)
	ctx := within(t, time.Minute)
	explain, err := r.chat.ExplainVietnamese(ctx, &gatewayv1.ExplainVietnameseRequest{Text: "look up"})
	if err != nil || explain.GetExplanation() != geminitest.Greeting || explain.GetServedBy().GetFallback() {
		t.Errorf("%v, %v", explain, err)
	}
	tone := geminitest.WAV(16000, geminitest.Tone(16000, 1))
	heard, err := r.chat.Recognize(ctx, &gatewayv1.RecognizeRequest{Config: &gatewayv1.TranscriptionConfig{}, Audio: tone})
	if err != nil || heard.GetTranscript().GetText() != geminitest.Transcript || len(heard.GetTranscript().GetSegments()) != 1 {
		t.Errorf("%v, %v", heard, err)
	}
	marks, err := r.chat.Pronunciation(ctx, &gatewayv1.PronunciationRequest{Audio: tone, ReferenceText: "Hello, world!"})
	if err != nil || !marks.GetEstimated() || len(marks.GetWords()) != 2 || marks.GetCompletenessScore() != 100 {
		t.Errorf("%v, %v", marks, err)
	}
	speech, err := r.chat.Synthesize(ctx, &gatewayv1.SynthesizeRequest{Input: &gatewayv1.SynthesizeRequest_Text{Text: "Hello."}})
	if err != nil {
		t.Fatal(err)
	}
	bytes, rate := 0, int32(0)
	for {
		piece, err := speech.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		bytes += len(piece.GetAudio())
		rate = max(rate, piece.GetSampleRateHertz())
	}
	if bytes != 48000 || rate != 24000 {
		t.Errorf("%d bytes at %d Hz", bytes, rate)
	}
	_, metrics := r.get(t, "/metrics")
	for _, line := range []string{
		`modelgateway_requests_total{code="OK",model="gemini",task="synthesize"} 1`,
		`modelgateway_audio_seconds_total{model="gemini",task="synthesize"} 1`,
		`modelgateway_audio_seconds_total{model="gemini",task="transcribe"} 1`,
		`modelgateway_tokens_total{kind="completion",model="gemini"} 7`,
		`modelgateway_model_state{model="gemini",state="ready"} 1`,
	} {
		if !strings.Contains(metrics, line) {
			t.Errorf("the metrics lack %s", line)
		}
	}
}

func TestRoutingCanExcludeGemini(t *testing.T) {
	r, cloud := startGemini(t, geminitest.Key)
	for name, routing := range map[string]*gatewayv1.Routing{"local_only": {LocalOnly: true}, "no_fallback": {NoFallback: true}} {
		_, err := r.chat.Chat(within(t, time.Minute), &gatewayv1.ChatRequest{Messages: say("x"), Routing: routing})
		if errs.ReasonOf(err) != errs.ModelFileMissing {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Gemini is in the cloud although the configuration of its engine does not say so.
	_, err := r.chat.ExplainVietnamese(within(t, time.Minute), &gatewayv1.ExplainVietnameseRequest{Text: "x", Model: "gemini", Routing: &gatewayv1.Routing{LocalOnly: true}})
	if errs.ReasonOf(err) != errs.ModelFileMissing { // of qwen, the next candidate
		t.Errorf("local_only with Gemini named: %v", err)
	}
	if n := len(cloud.Requests()); n != 0 {
		t.Errorf("Gemini got %d requests", n)
	}
}

func TestWithoutAKeyTheErrorIsThatOfTheLocalModel(t *testing.T) {
	r, cloud := startGemini(t, "")
	_, err := r.chat.Chat(within(t, time.Minute), &gatewayv1.ChatRequest{Messages: say("x")})
	if errs.ReasonOf(err) != errs.ModelFileMissing {
		t.Errorf("%v", err)
	}
	// If Gemini is the only candidate, the error is that it has no key.
	speech, err := r.chat.Synthesize(within(t, time.Minute), &gatewayv1.SynthesizeRequest{Input: &gatewayv1.SynthesizeRequest_Text{Text: "x"}})
	if err == nil {
		_, err = speech.Recv()
	}
	if errs.ReasonOf(err) != errs.EngineUnavailable || !strings.Contains(err.Error(), "GEMINI_API_KEY") {
		t.Errorf("%v", err)
	}
	if len(cloud.Requests())+cloud.Refused() != 0 {
		t.Error("Gemini got a request without a key")
	}
}

func TestFailuresOfGeminiHaveAReason(t *testing.T) {
	r, cloud := startGemini(t, geminitest.Key)
	ask := func() error {
		_, err := r.chat.Chat(within(t, time.Minute), &gatewayv1.ChatRequest{Messages: say("x"), Model: "gemini", Routing: &gatewayv1.Routing{NoFallback: true}})
		return err
	}
	cloud.Answer(geminitest.Quota(34*time.Second, false))
	if e := errs.From(ask()); e.Reason() != errs.RateLimited || e.RetryAfter() != 34*time.Second || status.Code(e) != codes.ResourceExhausted {
		t.Errorf("quota: %v, retry after %v", e, e.RetryAfter())
	}
	cloud.Answer(geminitest.Text("fine"))
	if err := ask(); err != nil {
		t.Errorf("after the quota: %v", err)
	}
	broken := geminitest.TextEnding("", "half an ans")
	broken.Break = true
	cloud.Answer(broken)
	before := len(cloud.Requests())
	stream, err := r.chat.StreamChat(within(t, time.Minute), &gatewayv1.StreamChatRequest{Messages: say("x"), Model: "gemini"})
	if err != nil {
		t.Fatal(err)
	}
	var text string
	for err == nil {
		var piece *gatewayv1.StreamChatResponse
		piece, err = stream.Recv()
		text += piece.GetDelta()
	}
	if errs.ReasonOf(err) != errs.EngineCrashed || text != "half an ans" || len(cloud.Requests()) != before+1 {
		t.Errorf("a broken stream: %q, %v, %d requests", text, err, len(cloud.Requests())-before)
	}
	cloud.Answer(geminitest.BadKey())
	if err := ask(); errs.ReasonOf(err) != errs.EngineUnavailable || !strings.Contains(err.Error(), "GEMINI_API_KEY") {
		t.Errorf("a key that is not valid: %v", err)
	}
}

func TestGeminiIsLoadedAndUnloaded(t *testing.T) {
	r, cloud := startGemini(t, geminitest.Key)
	ctx := within(t, time.Minute)
	ask := func() {
		t.Helper()
		if _, err := r.chat.Chat(ctx, &gatewayv1.ChatRequest{Messages: say("x"), Model: "gemini"}); err != nil {
			t.Fatal(err)
		}
	}
	model := func() *gatewayv1.Model {
		t.Helper()
		resp, err := r.admin.GetModel(ctx, &gatewayv1.GetModelRequest{Name: "gemini"})
		if err != nil {
			t.Fatal(err)
		}
		return resp.GetModel()
	}
	if m := model(); m.GetState() != gatewayv1.ModelState_MODEL_STATE_UNLOADED {
		t.Errorf("before the first request: %v", m)
	}
	ask()
	m := model()
	if m.GetState() != gatewayv1.ModelState_MODEL_STATE_READY || m.GetWorkerPid() != int32(os.Getpid()) {
		t.Errorf("%v", m)
	}
	if used, err := r.manager.Totals(ctx); err != nil || used.UsedBytes != 10<<20 || used.ThreadsUsed != 0 {
		t.Errorf("charged %+v, %v", used, err)
	}
	if _, err := r.admin.UnloadModel(ctx, &gatewayv1.UnloadModelRequest{Name: "gemini"}); err != nil {
		t.Fatal(err)
	}
	if used, err := r.manager.Totals(ctx); err != nil || used.UsedBytes != 0 {
		t.Errorf("charged after the unload: %+v, %v", used, err)
	}
	ask()
	// The shutdown of the server ends an answer that is not complete.
	slow := geminitest.TextEnding("", "still ")
	slow.Hold = true
	cloud.Answer(slow)
	stream, err := r.chat.StreamChat(ctx, &gatewayv1.StreamChatRequest{Messages: say("x"), Model: "gemini"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	r.stop() // the cleanup waits for the end
	for err == nil {
		_, err = stream.Recv()
	}
	if errors.Is(err, io.EOF) {
		t.Error("the answer ended without an error")
	}
}

// The key leaves the server only in the header of requests to Gemini.
func TestKeyStaysSecret(t *testing.T) {
	r, cloud := startGemini(t, geminitest.Key)
	var texts []string
	for _, answer := range []geminitest.Answer{
		geminitest.Text("fine"),
		geminitest.Error(http.StatusBadRequest, "INVALID_ARGUMENT", "key "+geminitest.Key+" and so on"),
		geminitest.Error(http.StatusForbidden, geminitest.Key, geminitest.Key),
		geminitest.Error(http.StatusInternalServerError, geminitest.Key, geminitest.Key),
		{Status: http.StatusBadGateway, Raw: []byte(geminitest.Key)},
		{Raw: []byte(geminitest.Key)},
	} {
		cloud.Answer(answer)
		_, body := r.post(t, "/v1/respond", `{"text": "x", "model": "gemini"}`)
		texts = append(texts, body)
	}
	for _, path := range []string{"/metrics", "/health", "/v1/status", "/v1/models"} {
		_, body := r.get(t, path)
		texts = append(texts, body)
	}
	r.end(t)
	for _, text := range append(texts, r.logs.String()) {
		if strings.Contains(text, geminitest.Key) {
			t.Errorf("the key is in %s", text)
		}
	}
	if !strings.Contains(r.logs.String(), "Gemini refused a request") {
		t.Error("the log lacks the refusals")
	}
	for _, req := range cloud.Requests() {
		if req.Header.Get("x-goog-api-key") != geminitest.Key {
			t.Error("a request has no key")
		}
	}
}

// A worker does not get the key, not even as a variable of its environment.
func TestWorkersDoNotGetTheKey(t *testing.T) {
	t.Setenv("GEMINI_API_KEY", geminitest.Key)
	r := start(t, faultModels)
	ctx := within(t, time.Minute)
	if _, err := r.chat.Chat(ctx, &gatewayv1.ChatRequest{Messages: say("x")}); err != nil {
		t.Fatal(err)
	}
	resp, err := r.admin.GetModel(ctx, &gatewayv1.GetModelRequest{Name: "qwen"})
	if err != nil {
		t.Fatal(err)
	}
	environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", resp.GetModel().GetWorkerPid()))
	if err != nil {
		t.Fatal(err)
	}
	if len(environ) == 0 || strings.Contains(string(environ), geminitest.Key) || strings.Contains(string(environ), "GEMINI") {
		t.Errorf("the worker's environment is %q", environ)
	}
}

// A worker can read neither the file of the key nor the server's memory.
func TestWorkersCannotReadTheKey(t *testing.T) {
	if lacks := isolate.Probe().Lacks(); lacks != nil {
		t.Skip("this kernel cannot isolate workers: ", strings.Join(lacks, "; "))
	}
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte(geminitest.Key), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GEMINI_API_KEY_FILE", file)
	r := start(t, faultModels)
	for _, path := range []string{file, fmt.Sprintf("/proc/%d/environ", os.Getpid()), fmt.Sprintf("/proc/%d/mem", os.Getpid())} {
		result, err := r.chat.Invoke(within(t, time.Minute), &gatewayv1.InvokeRequest{
			ModelName: "qwen", Method: "read", Params: params(t, map[string]any{"path": path}),
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := result.GetData().AsMap()["error"].(string); !strings.Contains(got, "permission denied") {
			t.Errorf("%s: %q", path, got)
		}
	}
}
