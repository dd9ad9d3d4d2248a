package server

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc/status"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/engines/gemini/geminitest"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// cloudModels has one local model, LOCAL, and Gemini at the address BASE as its
// fallback.
const cloudModels = `
grpc_listen: 127.0.0.1:0
http_listen: 127.0.0.1:0
max_memory_mb: 2000
cpu_threads: 64
drain_timeout: 10s
log: {level: info, format: json}
breaker: {failures: 5, open: 20ms}
gemini: {api_key: KEY, base_url: BASE, retries: 0}
engines:
  fault: {command: [engine-fault]}
models:
  qwen: {LOCAL}
  hog: {engine: fault, path: MODEL, memory_mb: 1960, threads: 1}
  gemini: {engine: gemini, memory_mb: 10, max_concurrency: 16}
tasks:
  chat: {primary: qwen, fallbacks: [gemini]}
  transcribe: {primary: qwen, fallbacks: [gemini]}
  explain_vietnamese: {primary: gemini, fallbacks: [qwen]}
`

// startCloud runs a server with a local model and a fake of Gemini. An empty key is
// no key.
func startCloud(t *testing.T, fake *geminitest.Server, local, key string) *running {
	t.Helper()
	if key == "" {
		key = `""`
	}
	return start(t, strings.NewReplacer("LOCAL", local, "KEY", key, "BASE", fake.URL).Replace(cloudModels))
}

// faultModel returns a local model with parameters of engine-fault.
func faultModel(parameters string) string {
	return "engine: fault, path: MODEL, memory_mb: 64, threads: 1, max_concurrency: 16, queue: 1024, parameters: {" + parameters + "}"
}

// ask sends a chat. The deadline must be enough for the fallback on any machine.
func ask(t *testing.T, r *running, routing *gatewayv1.Routing, limit time.Duration) (*gatewayv1.ChatResponse, error) {
	t.Helper()
	return r.chat.Chat(within(t, limit), &gatewayv1.ChatRequest{Messages: say("Hello"), Routing: routing})
}

// If the local model cannot answer, Gemini does, and the response has the reason. If
// Gemini may not answer or has no key, the error is that of the local model.
func TestGeminiAnswersIfTheLocalModelCannot(t *testing.T) {
	type testCase struct {
		local string
		// before causes the failure; the function that it returns ends it.
		before func(*testing.T, *running) func()
		reason errs.Reason
		limit  time.Duration
	}
	cases := map[string]testCase{
		"its file is missing":      {local: "engine: fault, path: MODEL.absent, memory_mb: 64", reason: errs.ModelFileMissing},
		"its file is broken":       {local: faultModel("load_fault: error"), reason: errs.ModelFileInvalid},
		"its engine is missing":    {local: "engine: whisper, path: MODEL, memory_mb: 64", reason: errs.EngineUnavailable},
		"it crashes in the load":   {local: faultModel("load_fault: crash"), reason: errs.EngineCrashed},
		"it is too big":            {local: "engine: fault, path: MODEL, memory_mb: 2001", reason: errs.ModelExceedsBudget},
		"it crashes at work":       {local: faultModel("fault: crash"), reason: errs.EngineCrashed},
		"it crashes in its answer": {local: faultModel("fault: crash, fault_after_tokens: 3"), reason: errs.EngineCrashed},
		"it panics":                {local: faultModel("fault: panic"), reason: errs.Internal},
		"it hangs":                 {local: faultModel("fault: hang") + ", progress_timeout: 1s", reason: errs.EngineCrashed},
		"it has a cooldown": {local: faultModel("load_fault: crash"), reason: errs.LoadCooldown, before: func(t *testing.T, r *running) func() {
			if _, err := ask(t, r, &gatewayv1.Routing{LocalOnly: true}, time.Minute); errs.ReasonOf(err) != errs.EngineCrashed {
				t.Fatal(err)
			}
			return func() {}
		}},
		"other models use the memory": {local: faultModel(""), reason: errs.MemoryBusy, before: func(t *testing.T, r *running) func() {
			load(t, r, "hog", true)
			return func() {}
		}},
		"its queue is full": {local: "engine: fault, path: MODEL, memory_mb: 64, threads: 1, max_concurrency: 1, queue: 1", reason: errs.QueueFull, before: func(t *testing.T, r *running) func() {
			return occupy(t, r, "qwen")
		}},
		"it is too slow for the deadline": {local: faultModel("load_ms: 4000"), reason: errs.DeadlineExceeded, limit: 3 * time.Second, before: func(t *testing.T, r *running) func() {
			load(t, r, "qwen", false) // the manager learns how long it takes
			if _, err := r.admin.UnloadModel(within(t, time.Minute), &gatewayv1.UnloadModelRequest{Name: "qwen"}); err != nil {
				t.Fatal(err)
			}
			return func() {}
		}},
	}
	for name, c := range cases {
		if c.limit == 0 {
			c.limit = time.Minute
		}
		t.Run(name, func(t *testing.T) {
			fake := geminitest.New(t)
			fake.Answer(geminitest.Text("Hello from ", "the cloud"))
			r := startCloud(t, fake, c.local, geminitest.Key)
			if c.before != nil {
				defer c.before(t, r)()
			}
			answered, err := ask(t, r, nil, c.limit)
			served := answered.GetServedBy()
			want := "FALLBACK_REASON_" + strings.TrimSuffix(errs.ReasonName(c.reason), "_EXCEEDED")
			if err != nil || answered.GetMessage().GetContent() != "Hello from the cloud" || served.GetModel() != "gemini" || !served.GetFallback() || served.GetFallbackReason().String() != want {
				t.Fatalf("%v, %v, want %s", answered, err, want)
			}
			_, metrics := r.get(t, "/metrics")
			metric := `modelgateway_fallbacks_total{from="qwen",reason="` + strings.ToLower(strings.TrimPrefix(want, "FALLBACK_REASON_")) + `",task="chat",to="gemini"} 1`
			if !strings.Contains(metrics, metric) {
				t.Errorf("the metrics lack %s", metric)
			}
			for what, routing := range map[string]*gatewayv1.Routing{"local_only": {LocalOnly: true}, "no_fallback": {NoFallback: true}} {
				if c.reason != errs.LoadCooldown {
					coolDown(t, r)
				}
				if _, err := ask(t, r, routing, c.limit); errs.ReasonOf(err) != c.reason {
					t.Errorf("%s: %v", what, err)
				}
			}
			if n := len(fake.Requests()); n != 1 {
				t.Errorf("Gemini got %d requests", n)
			}
		})
		t.Run(name+" without a key", func(t *testing.T) {
			fake := geminitest.New(t)
			r := startCloud(t, fake, c.local, "")
			if c.before != nil {
				defer c.before(t, r)()
			}
			if _, err := ask(t, r, nil, c.limit); errs.ReasonOf(err) != c.reason {
				t.Error(err)
			}
			if n := len(fake.Requests()) + fake.Refused(); n != 0 {
				t.Errorf("Gemini got %d requests", n)
			}
		})
	}
}

// The local model reads live audio to its end and fails. Gemini then reads it from
// its start.
func TestGeminiReadsLiveAudioFromItsStart(t *testing.T) {
	fake := geminitest.New(t)
	r := startCloud(t, fake, faultModel("fault: error"), geminitest.Key)
	stream, err := r.chat.Transcribe(within(t, time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	const rate, piece, pieces = 16000, 3200, 20
	messages := []*gatewayv1.TranscribeRequest{{Payload: &gatewayv1.TranscribeRequest_Config{Config: &gatewayv1.TranscriptionConfig{
		Format: &gatewayv1.AudioFormat{Encoding: gatewayv1.AudioEncoding_AUDIO_ENCODING_PCM_S16LE, SampleRateHertz: rate},
	}}}}
	tone := geminitest.Tone(rate, float64(piece*pieces)/2/rate)
	for i := range pieces {
		messages = append(messages, &gatewayv1.TranscribeRequest{Payload: &gatewayv1.TranscribeRequest_Audio{Audio: tone[i*piece : (i+1)*piece]}})
	}
	for _, m := range messages {
		if err := stream.Send(m); err != nil {
			t.Fatal(err)
		}
	}
	resp, err := stream.CloseAndRecv()
	if err != nil || resp.GetServedBy().GetModel() != "gemini" || resp.GetServedBy().GetFallbackReason() != gatewayv1.FallbackReason_FALLBACK_REASON_INTERNAL {
		t.Fatalf("%v, %v", resp, err)
	}
	if length := resp.GetTranscript().GetAudioDuration().AsDuration(); length != 2*time.Second {
		t.Errorf("it read %s of 2s", length)
	}
	if resp.GetTranscript().GetText() == "" {
		t.Error("there is no text")
	}
}

// tally counts how requests ended.
type tally struct {
	mu    sync.Mutex
	count map[string]int
}

func (c *tally) add(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count[what]++
}

// explain sends a request to Gemini, with a local model as the fallback unless
// noFallback is set.
func (c *tally) explain(ctx context.Context, r *running, noFallback bool) {
	resp, err := r.chat.ExplainVietnamese(ctx, &gatewayv1.ExplainVietnameseRequest{
		Text: "used to", Routing: &gatewayv1.Routing{NoFallback: noFallback},
	})
	if err != nil {
		c.add(fmt.Sprintf("alone=%t %s", noFallback, errs.ReasonName(errs.ReasonOf(err))))
		if _, advice := details(status.Convert(err)); advice == nil {
			c.add("no RetryInfo")
		}
		return
	}
	served := resp.GetServedBy()
	c.add(fmt.Sprintf("alone=%t %s %s", noFallback, served.GetModel(), strings.TrimPrefix(served.GetFallbackReason().String(), "FALLBACK_REASON_")))
}

// 1,000 requests while Gemini fails half of them at random: each ends once, the
// breaker opens and closes, and no request is left at the end.
func TestAThousandRequestsWhileGeminiFailsHalf(t *testing.T) {
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { // after the server and the fake have ended
		if err := goleak.Find(before); err != nil {
			t.Error(err)
		}
	})
	fake := geminitest.New(t)
	fake.FailShare(0.5, geminitest.Unavailable(), 7)
	r := startCloud(t, fake, faultModel(""), geminitest.Key)
	const callers, each = 20, 50
	c := tally{count: map[string]int{}}
	var group sync.WaitGroup
	for range callers {
		group.Go(func() {
			for i := range each {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				c.explain(ctx, r, i%4 == 0)
				cancel()
			}
		})
	}
	group.Wait()
	t.Log(c.count)
	total := 0
	for _, n := range c.count {
		total += n
	}
	if total != callers*each {
		t.Errorf("%d of %d requests ended", total, callers*each)
	}
	for _, what := range []string{
		"alone=false gemini UNSPECIFIED", "alone=false qwen ENGINE_CRASHED", "alone=false qwen BREAKER_OPEN",
		"alone=true gemini UNSPECIFIED", "alone=true ENGINE_CRASHED", "alone=true LOAD_COOLDOWN",
	} {
		if c.count[what] == 0 {
			t.Errorf("no request ended as %q", what)
		}
		total -= c.count[what]
	}
	if total != 0 {
		t.Errorf("%d requests ended otherwise", total)
	}
	fake.FailShare(0, geminitest.Answer{}, 0)
	eventually(t, func() bool {
		resp, err := r.chat.ExplainVietnamese(within(t, time.Minute), &gatewayv1.ExplainVietnameseRequest{Text: "used to"})
		return err == nil && resp.GetServedBy().GetModel() == "gemini"
	})
	if m := model(t, r, "gemini"); m.GetBreaker().GetState() != gatewayv1.BreakerState_BREAKER_STATE_CLOSED || m.GetActiveCount()+m.GetQueuedCount() != 0 {
		t.Errorf("at the end %v", m)
	}
	opened, closed := strings.Count(r.logs.String(), `"to":"open"`), strings.Count(r.logs.String(), `"to":"closed"`)
	if opened < 2 || closed < 2 {
		t.Errorf("the breaker opened %d times and closed %d times", opened, closed)
	}
	_, metrics := r.get(t, "/metrics")
	if !strings.Contains(metrics, `modelgateway_breaker_state{model="gemini"} 0`) {
		t.Error("the metrics lack the breaker's state")
	}
	if sum := sumOf(metrics, `modelgateway_fallbacks_total{from="gemini"`); sum < c.count["alone=false qwen ENGINE_CRASHED"]+c.count["alone=false qwen BREAKER_OPEN"] {
		t.Errorf("%d fallbacks are counted", sum)
	}
	if sum := sumOf(metrics, `modelgateway_requests_total{`); sum < callers*each {
		t.Errorf("%d requests are counted", sum)
	}
}

// sumOf adds the samples of a metric whose lines begin with prefix.
func sumOf(metrics, prefix string) int {
	sum := 0
	for _, line := range regexp.MustCompile(`(?m)^`+regexp.QuoteMeta(prefix)+`.* (\d+)$`).FindAllStringSubmatch(metrics, -1) {
		n, _ := strconv.Atoi(line[1])
		sum += n
	}
	return sum
}

// Every answer of a starter says that it is one, on every surface; others say nothing.
func TestStartersWarnTheirCallers(t *testing.T) {
	r := start(t, onLoopback+`
engines:
  fault: {command: [engine-fault]}
models:
  starter: {engine: fault, path: "starter:chat.gguf", memory_mb: 32}
  voice: {engine: fault, path: "starter:pronunciation.onnx", memory_mb: 32}
  full: {engine: fault, path: MODEL, memory_mb: 32}
tasks:
  chat: {primary: starter}
  synthesize: {primary: voice}
`)
	ctx := within(t, 20*time.Second)
	answer, err := r.chat.Chat(ctx, &gatewayv1.ChatRequest{Messages: say("x")})
	if err != nil || !strings.Contains(answer.GetServedBy().GetWarning(), "starter") {
		t.Errorf("%v, %v", answer.GetServedBy(), err)
	}
	answer, err = r.chat.Chat(ctx, &gatewayv1.ChatRequest{Model: "full", Messages: say("x")})
	if err != nil || answer.GetServedBy().GetWarning() != "" {
		t.Errorf("%v, %v", answer.GetServedBy(), err)
	}
	for _, path := range []string{"/v1/chat", "/v1/chat:stream"} {
		if _, body := r.post(t, path, userSays); !strings.Contains(body, `"warning":"This is a starter`) {
			t.Errorf("%s: %s", path, body)
		}
	}
	if _, body := r.post(t, "/v1/tasks/chat", `{"params":{"text":"x"}}`); !strings.Contains(body, `"warning":"This is a starter`) {
		t.Errorf("ExecuteTask: %s", body)
	}
	if resp, _ := r.post(t, "/v1/synthesize", `{"text":"x"}`, "Accept", "audio/wav"); !strings.Contains(resp.Header.Get("X-Modelgateway-Warning"), "starter") {
		t.Errorf("the headers of a WAV are %v", resp.Header)
	}
}
