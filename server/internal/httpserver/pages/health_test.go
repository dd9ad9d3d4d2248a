package pages

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

// fixedState is a state that does not change.
type fixedState struct {
	status   *gatewayv1.StatusResponse
	err      error
	draining bool
	loading  bool
	unready  error
}

func (f fixedState) Status(context.Context, *gatewayv1.StatusRequest) (*gatewayv1.StatusResponse, error) {
	return f.status, f.err
}

func (f fixedState) Draining() bool { return f.draining }

func (f fixedState) Loading() bool { return f.loading }

func (f fixedState) Ready() error { return f.unready }

// documented is the answer in the documentation of the Python gateway.
const documented = `{
  "status": "healthy",
  "gateway_initialized": true,
  "gateway_status": {
    "gateway": {"uptime_seconds": 3600, "total_requests": 150, "max_memory_mb": 8000, "used_memory_mb": 4200},
    "loaded_models": ["qwen", "gemini"],
    "models": {"qwen": {"status": "ready", "request_count": 120, "avg_latency_ms": 450}}
  }
}`

func TestHealthHasFieldsOfPythonGateway(t *testing.T) {
	ready := gatewayv1.ModelState_MODEL_STATE_READY
	state := fixedState{status: &gatewayv1.StatusResponse{
		Uptime: durationpb.New(time.Hour), TotalRequestCount: 150,
		MemoryBudgetBytes: 8000 << 20, MemoryUsedBytes: 4200 << 20,
		Models: []*gatewayv1.Model{
			{Name: "qwen", State: ready, RequestCount: 120, AverageLatency: durationpb.New(450 * time.Millisecond)},
			{Name: "whisper", State: gatewayv1.ModelState_MODEL_STATE_UNLOADED},
			{Name: "gemini", State: ready},
		},
	}}
	w := httptest.NewRecorder()
	Health(state).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/health", nil))
	var got, want any
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(documented), &want); err != nil {
		t.Fatal(err)
	}
	checkWithin(t, "", got, want)
	if w.Code != http.StatusOK {
		t.Errorf("status %d", w.Code)
	}
}

// checkWithin checks that everything wanted is there with the same value. More may
// be there.
func checkWithin(t *testing.T, path string, got, want any) {
	t.Helper()
	switch want := want.(type) {
	case map[string]any:
		m, ok := got.(map[string]any)
		if !ok {
			t.Errorf("%s is %v", path, got)
			return
		}
		for k, v := range want {
			checkWithin(t, path+"."+k, m[k], v)
		}
	case []any:
		l, ok := got.([]any)
		if !ok || len(l) != len(want) {
			t.Errorf("%s is %v, want %v", path, got, want)
			return
		}
		for i := range want {
			checkWithin(t, path, l[i], want[i])
		}
	default:
		if got != want {
			t.Errorf("%s is %v, want %v", path, got, want)
		}
	}
}

func TestHealthReportsTrouble(t *testing.T) {
	failed := &gatewayv1.StatusResponse{Models: []*gatewayv1.Model{{
		Name: "qwen", State: gatewayv1.ModelState_MODEL_STATE_FAILED, Failure: &gatewayv1.LoadFailure{Message: "no file"},
	}}}
	cases := map[string]struct {
		state  fixedState
		code   int
		status string
	}{
		"a failed model": {fixedState{status: failed}, 200, statusDegraded},
		"draining":       {fixedState{status: &gatewayv1.StatusResponse{Draining: true}}, 503, statusDraining},
		"no folder":      {fixedState{status: &gatewayv1.StatusResponse{}, unready: errors.New("no folder")}, 200, statusDegraded},
		"ended":          {fixedState{err: errors.New("gone")}, 503, statusDraining},
	}
	for name, c := range cases {
		w := httptest.NewRecorder()
		Health(c.state).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/health", nil))
		var got health
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if w.Code != c.code || got.Status != c.status {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}

func TestReadyTellsWhyModelsCannotLoad(t *testing.T) {
	for name, c := range map[string]struct {
		state fixedState
		code  int
		body  string
	}{
		"ready":     {fixedState{}, 200, "ready\n"},
		"draining":  {fixedState{draining: true}, 503, "draining\n"},
		"loading":   {fixedState{loading: true}, 503, "loading models\n"},
		"no folder": {fixedState{unready: errs.New(errs.EngineUnavailable, "there is no folder")}, 503, "no model can be loaded: there is no folder\n"},
	} {
		w := httptest.NewRecorder()
		Ready(c.state).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/readyz", nil))
		if w.Code != c.code || w.Body.String() != c.body {
			t.Errorf("%s: %d %q", name, w.Code, w.Body)
		}
	}
}
