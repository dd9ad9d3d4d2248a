package httpserver

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// fixed is a state that does not change.
type fixed struct {
	status   *gatewayv1.StatusResponse
	err      error
	draining bool
}

func (f fixed) Status(context.Context, *gatewayv1.StatusRequest) (*gatewayv1.StatusResponse, error) {
	return f.status, f.err
}

func (f fixed) Draining() bool { return f.draining }

// original is the answer in the original gateway's documentation.
const original = `{
  "status": "healthy",
  "gateway_initialized": true,
  "gateway_status": {
    "gateway": {"uptime_seconds": 3600, "total_requests": 150, "max_memory_mb": 8000, "used_memory_mb": 4200},
    "loaded_models": ["qwen", "gemini"],
    "models": {"qwen": {"status": "ready", "request_count": 120, "avg_latency_ms": 450}}
  }
}`

func TestHealthHasTheOriginalsShape(t *testing.T) {
	ready := gatewayv1.ModelState_MODEL_STATE_READY
	state := fixed{status: &gatewayv1.StatusResponse{
		Uptime: durationpb.New(time.Hour), TotalRequestCount: 150,
		MemoryBudgetBytes: 8000 << 20, MemoryUsedBytes: 4200 << 20,
		Models: []*gatewayv1.Model{
			{Name: "qwen", State: ready, RequestCount: 120, AverageLatency: durationpb.New(450 * time.Millisecond)},
			{Name: "whisper", State: gatewayv1.ModelState_MODEL_STATE_UNLOADED},
			{Name: "gemini", State: ready},
		},
	}}
	w := httptest.NewRecorder()
	healthHandler(state).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/health", nil))
	var got, want any
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(original), &want); err != nil {
		t.Fatal(err)
	}
	within(t, "", got, want)
	if w.Code != http.StatusOK {
		t.Errorf("status %d", w.Code)
	}
}

// within checks that everything wanted is there, with the same value; more may
// stand beside it.
func within(t *testing.T, path string, got, want any) {
	t.Helper()
	switch want := want.(type) {
	case map[string]any:
		m, ok := got.(map[string]any)
		if !ok {
			t.Errorf("%s is %v", path, got)
			return
		}
		for k, v := range want {
			within(t, path+"."+k, m[k], v)
		}
	case []any:
		l, ok := got.([]any)
		if !ok || len(l) != len(want) {
			t.Errorf("%s is %v, want %v", path, got, want)
			return
		}
		for i := range want {
			within(t, path, l[i], want[i])
		}
	default:
		if got != want {
			t.Errorf("%s is %v, want %v", path, got, want)
		}
	}
}

func TestHealthTellsTrouble(t *testing.T) {
	failed := &gatewayv1.StatusResponse{Models: []*gatewayv1.Model{{
		Name: "qwen", State: gatewayv1.ModelState_MODEL_STATE_FAILED, Failure: &gatewayv1.LoadFailure{Message: "no file"},
	}}}
	cases := map[string]struct {
		state  fixed
		code   int
		status string
	}{
		"a failed model": {fixed{status: failed}, 200, statusDegraded},
		"draining":       {fixed{status: &gatewayv1.StatusResponse{Draining: true}}, 503, statusDraining},
		"ended":          {fixed{err: errors.New("gone")}, 503, statusDraining},
	}
	for name, c := range cases {
		w := httptest.NewRecorder()
		healthHandler(c.state).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/health", nil))
		var got health
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if w.Code != c.code || got.Status != c.status {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}

// Reasons that no caller can provoke yet are mapped all the same.
func TestEveryReasonHasItsHTTPStatus(t *testing.T) {
	want := map[errs.Reason]int{
		errs.InvalidRequest: 400, errs.ConfigNotFirst: 400, errs.AudioUnreadable: 400,
		errs.ModelNotFound: 404, errs.TaskUnknown: 404,
		errs.ModelExceedsBudget: 400, errs.ModelFileMissing: 400, errs.ModelFileInvalid: 400, errs.EngineUnavailable: 400,
		errs.MemoryBusy: 429, errs.QueueFull: 429, errs.RateLimited: 429,
		errs.EngineCrashed: 503, errs.LoadCooldown: 503, errs.Draining: 503,
		errs.DeadlineExceeded: 504, errs.Unauthenticated: 401, errs.Forbidden: 403,
		errs.Internal: 500, errs.Cancelled: 499,
	}
	if len(want) != len(gatewayv1.ErrorReason_name)-1 {
		t.Errorf("%d reasons of %d", len(want), len(gatewayv1.ErrorReason_name)-1)
	}
	for reason, code := range want {
		w := httptest.NewRecorder()
		writeError(t.Context(), nil, nil, w, nil, errs.New(reason, "x").WithRetryAfter(1500*time.Millisecond))
		if w.Code != code {
			t.Errorf("%s is %d, want %d", errs.ReasonName(reason), w.Code, code)
		}
		if w.Header().Get("Retry-After") != "2" {
			t.Errorf("Retry-After %q", w.Header().Get("Retry-After"))
		}
	}
}
