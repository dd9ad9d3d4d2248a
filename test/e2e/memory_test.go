package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/procfs"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/engines/gemini/geminitest"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

const mebibyte = int64(1) << 20

// fiveModels configures the models of the Python gateway with its sizes, priorities
// and idle timeouts, but with the starter models' files.
const fiveModels = `
max_memory_mb: BUDGET
gemini: {api_key: KEY, base_url: URL, retries: 0}
models:
  qwen: {engine: llama, path: "starter:chat.gguf", memory_mb: 3500, priority: critical, idle_timeout: 10m}
  whisper: {engine: whisper, path: "starter:whisper.bin", memory_mb: 500, priority: normal, idle_timeout: 5m, parameters: {temperature_inc: 0}}
  piper: {engine: piper, path: "starter:voice.onnx", memory_mb: 100, priority: normal, idle_timeout: 5m}
  hubert: {engine: hubert, path: "starter:pronunciation.onnx", memory_mb: 2000, priority: low, idle_timeout: 3m}
  gemini: {engine: gemini, memory_mb: 10, priority: high, idle_timeout: 30m}
tasks:
  chat: {primary: qwen, fallbacks: [gemini]}
  grammar: {primary: qwen, fallbacks: [gemini]}
  respond: {primary: qwen, fallbacks: [gemini]}
  transcribe: {primary: whisper, fallbacks: [gemini]}
  synthesize: {primary: piper, fallbacks: [gemini]}
  pronunciation: {primary: hubert, fallbacks: [gemini]}
  explain_vietnamese: {primary: gemini, fallbacks: [qwen]}
`

// startFive runs a server with five models and a budget in MiB. replace has pairs
// of strings to replace in the configuration.
func startFive(t *testing.T, budget int, replace ...string) *server {
	t.Helper()
	cloud := geminitest.New(t)
	pairs := append([]string{"BUDGET", strconv.Itoa(budget), "KEY", geminitest.Key, "URL", cloud.URL}, replace...)
	return start(t, strings.NewReplacer(pairs...).Replace(fiveModels))
}

// requestKinds returns requests by name. Each returns which model answered.
func requestKinds(s *server) map[string]func(ctx context.Context, r *gatewayv1.Routing) (*gatewayv1.ServedBy, error) {
	clip := wav(16000, tone(16000, 1, 0.5))
	cfg := func(r *gatewayv1.Routing) *gatewayv1.TranscriptionConfig {
		return &gatewayv1.TranscriptionConfig{Language: "en", Routing: r}
	}
	return map[string]func(context.Context, *gatewayv1.Routing) (*gatewayv1.ServedBy, error){
		"chat": func(ctx context.Context, r *gatewayv1.Routing) (*gatewayv1.ServedBy, error) {
			got, err := s.models.Chat(ctx, &gatewayv1.ChatRequest{Messages: user("Hello"), Sampling: greedy(16), Routing: r})
			return got.GetServedBy(), err
		},
		"grammar": func(ctx context.Context, r *gatewayv1.Routing) (*gatewayv1.ServedBy, error) {
			got, err := s.models.Grammar(ctx, &gatewayv1.GrammarRequest{Text: "He go to school.", Routing: r})
			return got.GetServedBy(), err
		},
		"recognize": func(ctx context.Context, r *gatewayv1.Routing) (*gatewayv1.ServedBy, error) {
			got, err := s.recognize(ctx, cfg(r), clip)
			return got.GetServedBy(), err
		},
		"transcribe": func(ctx context.Context, r *gatewayv1.Routing) (*gatewayv1.ServedBy, error) {
			got, err := s.transcribe(ctx, cfg(r), clip, 8000)
			return got.GetServedBy(), err
		},
		"synthesize": func(ctx context.Context, r *gatewayv1.Routing) (*gatewayv1.ServedBy, error) {
			req := quiet(sentences)
			req.Routing = r
			got, err := s.synthesize(ctx, req)
			if err != nil {
				return nil, err
			}
			return got.servedBy, nil
		},
		"pronunciation": func(ctx context.Context, r *gatewayv1.Routing) (*gatewayv1.ServedBy, error) {
			got, err := s.models.Pronunciation(ctx, &gatewayv1.PronunciationRequest{Audio: clip, ReferenceText: "hello there", Routing: r})
			return got.GetServedBy(), err
		},
		"explain": func(ctx context.Context, r *gatewayv1.Routing) (*gatewayv1.ServedBy, error) {
			got, err := s.models.ExplainVietnamese(ctx, &gatewayv1.ExplainVietnameseRequest{Text: "Hello", Routing: r})
			return got.GetServedBy(), err
		},
	}
}

// primaries returns the primary model of each kind.
func primaries() map[string]string {
	return map[string]string{
		"chat": "qwen", "grammar": "qwen", "recognize": "whisper", "transcribe": "whisper",
		"synthesize": "piper", "pronunciation": "hubert", "explain": "gemini",
	}
}

// request makes one request and expects an answer of its primary model.
func (s *server) request(t *testing.T, kind string, r *gatewayv1.Routing) {
	t.Helper()
	by, err := requestKinds(s)[kind](within(t, patience), r)
	if err != nil || by.GetModel() != primaries()[kind] || by.GetFallback() {
		t.Fatalf("%s: %v, %v; want an answer of %s", kind, by, err, primaries()[kind])
	}
}

func (s *server) status(t *testing.T) *gatewayv1.StatusResponse {
	t.Helper()
	got, err := s.models.Status(within(t, patience), &gatewayv1.StatusRequest{})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// With the budget of the Python gateway all five models are loaded together and
// stay loaded.
func TestFiveModelsStayUnder8000MB(t *testing.T) {
	s := startFive(t, 8000)
	for range 3 {
		for kind := range requestKinds(s) {
			s.request(t, kind, nil)
		}
	}
	got := s.status(t)
	var sum int64
	for _, m := range got.GetModels() {
		if m.GetState() != gatewayv1.ModelState_MODEL_STATE_READY || m.GetLoadCount() != 1 || m.GetLastEviction() != nil {
			t.Errorf("%s is %v after %d loads, last eviction %v; want READY after one load",
				m.GetName(), m.GetState(), m.GetLoadCount(), m.GetLastEviction())
		}
		memory := m.GetMemory()
		if memory.GetReservedBytes() != memory.GetDeclaredBytes() || memory.GetMeasuredBytes() > memory.GetReservedBytes() {
			t.Errorf("%s: %v, want the declared size reserved, and no more measured", m.GetName(), memory)
		}
		sum += memory.GetChargedBytes()
	}
	const whole = (3500 + 500 + 100 + 2000 + 10) * mebibyte
	if sum != whole || got.GetMemoryUsedBytes() != whole || got.GetMemoryBudgetBytes() != 8000*mebibyte {
		t.Errorf("%d MiB are charged, the status has %d of %d; want %d of 8000",
			sum/mebibyte, got.GetMemoryUsedBytes()/mebibyte, got.GetMemoryBudgetBytes()/mebibyte, whole/mebibyte)
	}
	workers := s.workers(t)
	if own := proportional(t, workers); len(workers) != 4 || own == 0 || own > whole {
		t.Errorf("processes %v use %d MiB, want four processes and at most %d", workers, own/mebibyte, whole/mebibyte)
	}
}

// Evictions follow the priorities: lower ones first, none above that of the
// request, and not more than necessary.
func TestEvictionsGoByPriority(t *testing.T) {
	s := startFive(t, 5600)
	for _, kind := range []string{"explain", "pronunciation", "synthesize", "recognize"} {
		s.request(t, kind, nil)
	}
	// 2610 MiB are in use, 510 are missing for qwen, and hubert has the lowest
	// priority.
	s.request(t, "chat", nil)
	s.wantEvicted(t, "hubert", "qwen")
	s.wantLoaded(t, "qwen", "whisper", "piper", "gemini")

	// hubert has a lower priority than all loaded models. They do not give way to its
	// requests before 14 s.
	_, err := requestKinds(s)["pronunciation"](within(t, 5*time.Second), &gatewayv1.Routing{NoFallback: true})
	if e := errs.From(err); e == nil || e.Reason() != errs.MemoryBusy || e.RetryAfter() <= 0 {
		t.Errorf("%v, want MEMORY_BUSY with a retry time", err)
	}
	s.wantLoaded(t, "qwen", "whisper", "piper", "gemini")
	by, err := requestKinds(s)["pronunciation"](within(t, 5*time.Second), nil)
	if err != nil || by.GetModel() != "gemini" || by.GetFallbackReason() != gatewayv1.FallbackReason_FALLBACK_REASON_MEMORY_BUSY {
		t.Errorf("%v, %v; want an answer of the cloud model because of MEMORY_BUSY", by, err)
	}

	// A request of high priority may evict models of lower priority. Again 510 are
	// missing, for which whisper and piper must be evicted.
	s.request(t, "pronunciation", &gatewayv1.Routing{Priority: gatewayv1.Priority_PRIORITY_HIGH})
	s.wantEvicted(t, "whisper", "hubert")
	s.wantEvicted(t, "piper", "hubert")
	s.wantLoaded(t, "qwen", "hubert", "gemini")
	for name, loads := range map[string]int64{"qwen": 1, "gemini": 1, "hubert": 2, "whisper": 1, "piper": 1} {
		if n := s.life(t, name).loads; n != loads {
			t.Errorf("%s was loaded %d times, want %d", name, n, loads)
		}
	}
}

func (s *server) wantLoaded(t *testing.T, models ...string) {
	t.Helper()
	var loaded []string
	for _, m := range s.status(t).GetModels() {
		if m.GetState() == gatewayv1.ModelState_MODEL_STATE_READY {
			loaded = append(loaded, m.GetName())
		}
	}
	want := map[string]bool{}
	for _, name := range models {
		want[name] = true
	}
	for _, name := range loaded {
		if !want[name] {
			t.Errorf("%s is loaded", name)
		}
	}
	if len(loaded) != len(models) {
		t.Errorf("%v are loaded, want %v", loaded, models)
	}
}

func (s *server) wantEvicted(t *testing.T, model, by string) {
	t.Helper()
	m := s.model(t, model)
	last := m.GetLastEviction()
	if m.GetState() != gatewayv1.ModelState_MODEL_STATE_UNLOADED || last.GetReason() != gatewayv1.EvictionReason_EVICTION_REASON_PRESSURE || last.GetRequestedBy() != by {
		t.Errorf("%s is %v, last eviction %v; want an eviction for %s", model, m.GetState(), last, by)
	}
}

// workers returns the engine processes of the server, according to the kernel.
func (s *server) workers(t *testing.T) []int {
	t.Helper()
	processes, err := procfs.AllProcs()
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, p := range processes {
		stat, err := p.Stat()
		if err != nil || stat.PPID != s.cmd.Process.Pid {
			continue // it has ended, or belongs to another server
		}
		program, err := p.Executable()
		if err == nil && strings.HasPrefix(filepath.Base(program), "engine-") {
			pids = append(pids, p.PID)
		}
	}
	return pids
}

// proportional returns the proportional set size of processes in bytes. A process
// that has ended counts as 0.
func proportional(t *testing.T, pids []int) int64 {
	t.Helper()
	var sum uint64
	for _, pid := range pids {
		p, err := procfs.NewProc(pid)
		if err == nil {
			var rollup procfs.ProcSMapsRollup
			rollup, err = p.ProcSMapsRollup()
			sum += rollup.Pss
		}
		// ESRCH: the process has ended but was not waited for yet.
		if err != nil && alive(pid) && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, syscall.ESRCH) {
			t.Error(fmt.Errorf("process %d: %w", pid, err))
		}
	}
	return int64(sum) //nolint:gosec // bytes of memory
}
