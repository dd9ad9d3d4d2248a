package e2e

import (
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// restlessSpeech configures speech models with a short idle timeout.
const restlessSpeech = `
models:
  whisper: {engine: whisper, path: "starter:whisper.bin", memory_mb: 500, idle_timeout: 1s, parameters: {temperature_inc: 0}}
  piper: {engine: piper, path: "starter:voice.onnx", memory_mb: 128, idle_timeout: 1s}
  hubert: {engine: hubert, path: "starter:pronunciation.onnx", memory_mb: 500, idle_timeout: 1s}
tasks:
  transcribe: {primary: whisper}
  synthesize: {primary: piper}
  pronunciation: {primary: hubert}
`

// metrics reads /metrics and returns the values by series.
func (s *server) metrics(t *testing.T) map[string]float64 {
	t.Helper()
	resp, err := http.Get(s.http + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for line := range strings.Lines(string(text)) {
		series, value, ok := strings.Cut(strings.TrimSpace(line), "} ")
		if !ok || strings.HasPrefix(line, "#") {
			continue
		}
		if out[series+"}"], err = strconv.ParseFloat(value, 64); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
	}
	return out
}

// speechHealth is the state of a model in /health.
type speechHealth struct {
	Status       string   `json:"status"`
	RequestCount *int64   `json:"request_count"`
	AvgLatency   *float64 `json:"avg_latency_ms"`
	MemoryMB     int64    `json:"memory_mb"`
}

// health reads /health.
func (s *server) health(t *testing.T) (models map[string]speechHealth, loaded []string) {
	t.Helper()
	resp, err := http.Get(s.http + "/health")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	got := decode[struct {
		Status        string
		GatewayStatus struct {
			LoadedModels []string `json:"loaded_models"`
			Models       map[string]speechHealth
		} `json:"gateway_status"`
	}](t, string(text))
	if got.Status != "healthy" {
		t.Errorf("/health: %s", text)
	}
	return got.GatewayStatus.Models, got.GatewayStatus.LoadedModels
}

// /health, Status and the metrics report the work of the three engines with the
// right numbers.
func TestSpeechIsReported(t *testing.T) {
	s := start(t, speechModels)
	models, loaded := s.health(t)
	if len(loaded) != 0 || len(models) != 4 {
		t.Errorf("before: %v, loaded %v", models, loaded)
	}
	ctx := within(t, patience)
	said := s.say(t, sentences)
	clip := wav(16000, tone(16000, 2.5, 0.5))
	for range 2 {
		if _, err := s.recognize(ctx, &gatewayv1.TranscriptionConfig{Language: "en"}, clip); err != nil {
			t.Fatal(err)
		}
	}
	// Silence was processed too.
	if _, err := s.transcribe(ctx, &gatewayv1.TranscriptionConfig{}, wav(48000, make([]byte, 2*48000)), 1<<16); err != nil {
		t.Fatal(err)
	}
	if _, err := s.pronounce(ctx, nil, clip, spoken); err != nil {
		t.Fatal(err)
	}
	for _, d := range []struct {
		model, task string
		requests    int64
		seconds     float64
	}{
		{"whisper", "transcribe", 3, 2*2.5 + 1},
		{"piper", "synthesize", 1, said.duration().Seconds()},
		{"hubert", "pronunciation", 1, 2.5},
	} {
		eventually(t, patience, d.model+" is measured", func() bool { return s.model(t, d.model).GetMemory().GetMeasuredBytes() > 0 })
		s.checkModelMetrics(t, d.model, d.task, d.requests, d.seconds)
		s.checkModelHealth(t, d.model, d.requests)
	}
	if total := s.status(t).GetTotalRequestCount(); total != 5 {
		t.Errorf("%d requests, want 5", total)
	}
}

func (s *server) checkModelMetrics(t *testing.T, model, task string, requests int64, seconds float64) {
	t.Helper()
	numbers := s.metrics(t)
	memory := s.model(t, model).GetMemory()
	for series, want := range map[string]float64{
		fmt.Sprintf(`requests_total{code="OK",model=%q,task=%q}`, model, task):       float64(requests),
		fmt.Sprintf(`request_duration_seconds_count{model=%q,task=%q}`, model, task): float64(requests),
		fmt.Sprintf(`queue_duration_seconds_count{model=%q,task=%q}`, model, task):   float64(requests),
		fmt.Sprintf(`model_loads_total{model=%q,result="ok"}`, model):                1,
		fmt.Sprintf(`model_state{model=%q,state="ready"}`, model):                    1,
		fmt.Sprintf(`model_state{model=%q,state="unloaded"}`, model):                 0,
		fmt.Sprintf(`model_memory_bytes{kind="reserved",model=%q}`, model):           float64(memory.GetDeclaredBytes()),
	} {
		if got, ok := numbers["modelgateway_"+series]; !ok || got != want {
			t.Errorf("%s is %v, want %v", series, got, want)
		}
	}
	heard := fmt.Sprintf(`modelgateway_audio_seconds_total{model=%q,task=%q}`, model, task)
	if got := numbers[heard]; math.Abs(got-seconds) > 0.02 {
		t.Errorf("%s is %v, want %v", heard, got, seconds)
	}
	for _, kind := range []string{"measured", "peak"} {
		series := fmt.Sprintf(`modelgateway_model_memory_bytes{kind=%q,model=%q}`, kind, model)
		if got := numbers[series]; got < 4<<20 || got > float64(memory.GetDeclaredBytes()) {
			t.Errorf("%s is %v, want more than 0 and at most the %d that are reserved", series, got, memory.GetDeclaredBytes())
		}
	}
}

func (s *server) checkModelHealth(t *testing.T, model string, requests int64) {
	t.Helper()
	models, loaded := s.health(t)
	h := models[model]
	declared := s.model(t, model).GetMemory().GetDeclaredBytes()
	if h.Status != "ready" || h.RequestCount == nil || *h.RequestCount != requests || h.AvgLatency == nil || *h.AvgLatency <= 0 ||
		h.MemoryMB != declared/mebibyte || !slices.Contains(loaded, model) {
		t.Errorf("/health reports %+v for %s, loaded %v", h, model, loaded)
	}
}

// Idle speech models are unloaded, and loaded again by the next request.
func TestIdleSpeechModelsAreUnloaded(t *testing.T) {
	s := start(t, restlessSpeech)
	models := []string{"whisper", "piper", "hubert"}
	kinds := []string{"recognize", "synthesize", "pronunciation"}
	for round := range int64(2) {
		pids := map[string]int{}
		for i, kind := range kinds {
			s.request(t, kind, nil)
			pids[models[i]] = int(s.model(t, models[i]).GetWorkerPid())
		}
		eventually(t, patience, "all models are unloaded", func() bool { return s.status(t).GetMemoryUsedBytes() == 0 && len(s.workers(t)) == 0 })
		numbers := s.metrics(t)
		for _, name := range models {
			m := s.model(t, name)
			if m.GetState() != gatewayv1.ModelState_MODEL_STATE_UNLOADED || m.GetLastEviction().GetReason() != gatewayv1.EvictionReason_EVICTION_REASON_IDLE {
				t.Errorf("%s is %v, last eviction %v; want UNLOADED because of IDLE", name, m.GetState(), m.GetLastEviction())
			}
			if pid := pids[name]; pid != 0 && alive(pid) {
				t.Errorf("process %d of %s is still there", pid, name)
			}
			if status := healthStatus(t, s, name); status != "unloaded" {
				t.Errorf("/health reports %q for %s", status, name)
			}
			evictions := fmt.Sprintf(`modelgateway_model_evictions_total{model=%q,reason="idle"}`, name)
			loads := fmt.Sprintf(`modelgateway_model_loads_total{model=%q,result="ok"}`, name)
			if numbers[evictions] < float64(round+1) || numbers[evictions] != numbers[loads] {
				t.Errorf("%v unloads and %v loads of %s after round %d", numbers[evictions], numbers[loads], name, round)
			}
		}
	}
}
