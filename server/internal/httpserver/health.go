package httpserver

import (
	"context"
	"encoding/json"
	"net/http"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// State tells how the gateway is.
type State interface {
	// Status is what the RPC Status answers.
	Status(ctx context.Context, req *gatewayv1.StatusRequest) (*gatewayv1.StatusResponse, error)
	// Draining tells whether the gateway is shutting down.
	Draining() bool
}

// health is what GET /health answers: the original gateway's fields, and more
// beside them.
type health struct {
	Status             string        `json:"status"`
	GatewayInitialized bool          `json:"gateway_initialized"`
	GatewayStatus      gatewayStatus `json:"gateway_status"`
	Version            string        `json:"version"`
}

type gatewayStatus struct {
	Gateway      gatewayNumbers         `json:"gateway"`
	LoadedModels []string               `json:"loaded_models"`
	Models       map[string]modelHealth `json:"models"`
}

type gatewayNumbers struct {
	UptimeSeconds int64 `json:"uptime_seconds"`
	TotalRequests int64 `json:"total_requests"`
	MaxMemoryMB   int64 `json:"max_memory_mb"`
	UsedMemoryMB  int64 `json:"used_memory_mb"`
	CPUThreads    int32 `json:"cpu_threads"`
	Draining      bool  `json:"draining"`
}

type modelHealth struct {
	Status       string  `json:"status"`
	RequestCount int64   `json:"request_count"`
	AvgLatencyMS int64   `json:"avg_latency_ms"`
	Engine       string  `json:"engine"`
	ErrorCount   int64   `json:"error_count"`
	MemoryMB     int64   `json:"memory_mb"`
	Active       int32   `json:"active"`
	Queued       int32   `json:"queued"`
	Error        *string `json:"error,omitempty"`
	Note         string  `json:"note,omitempty"`
}

const (
	statusHealthy  = "healthy"
	statusDegraded = "degraded"
	statusDraining = "draining"
)

// mebibytes rounds up: what is used is never shown as nothing.
func mebibytes(bytes int64) int64 { return (bytes + 1<<20 - 1) >> 20 }

// newHealth tells a status in the original's shape.
func newHealth(s *gatewayv1.StatusResponse) health {
	h := health{
		Status: statusHealthy, GatewayInitialized: true, Version: s.GetVersion(),
		GatewayStatus: gatewayStatus{
			Gateway: gatewayNumbers{
				UptimeSeconds: int64(s.GetUptime().AsDuration().Seconds()),
				TotalRequests: s.GetTotalRequestCount(),
				MaxMemoryMB:   mebibytes(s.GetMemoryBudgetBytes()),
				UsedMemoryMB:  mebibytes(s.GetMemoryUsedBytes()),
				CPUThreads:    s.GetCpuThreadsTotal(),
				Draining:      s.GetDraining(),
			},
			LoadedModels: []string{},
			Models:       map[string]modelHealth{},
		},
	}
	for _, m := range s.GetModels() {
		h.GatewayStatus.Models[m.GetName()] = newModelHealth(m)
		switch m.GetState() {
		case gatewayv1.ModelState_MODEL_STATE_READY, gatewayv1.ModelState_MODEL_STATE_DRAINING:
			h.GatewayStatus.LoadedModels = append(h.GatewayStatus.LoadedModels, m.GetName())
		case gatewayv1.ModelState_MODEL_STATE_FAILED:
			h.Status = statusDegraded
		}
	}
	if s.GetDraining() {
		h.Status = statusDraining
	}
	return h
}

func newModelHealth(m *gatewayv1.Model) modelHealth {
	h := modelHealth{
		Status:       stateName(m.GetState()),
		RequestCount: m.GetRequestCount(),
		AvgLatencyMS: m.GetAverageLatency().AsDuration().Milliseconds(),
		Engine:       m.GetEngine(),
		ErrorCount:   m.GetErrorCount(),
		MemoryMB:     mebibytes(m.GetMemory().GetChargedBytes()),
		Active:       m.GetActiveCount(),
		Queued:       m.GetQueuedCount(),
		Note:         m.GetNote(),
	}
	if f := m.GetFailure(); f != nil {
		text := f.GetMessage()
		h.Error = &text
	}
	return h
}

// stateName is the original's word for a state.
func stateName(s gatewayv1.ModelState) string {
	switch s {
	case gatewayv1.ModelState_MODEL_STATE_LOADING:
		return "loading"
	case gatewayv1.ModelState_MODEL_STATE_READY:
		return "ready"
	case gatewayv1.ModelState_MODEL_STATE_DRAINING:
		return "unloading"
	case gatewayv1.ModelState_MODEL_STATE_FAILED:
		return "error"
	default:
		return "unloaded"
	}
}

// healthHandler answers in the original's shape: 200, and 503 while draining.
func healthHandler(state State) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, err := state.Status(r.Context(), &gatewayv1.StatusRequest{})
		if err != nil {
			s = &gatewayv1.StatusResponse{Draining: true}
		}
		h := newHealth(s)
		code := http.StatusOK
		if h.Status == statusDraining {
			code = http.StatusServiceUnavailable
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(code)
		_ = json.NewEncoder(w).Encode(h) // the caller has left if this fails
	})
}

// liveHandler tells that the process answers.
func liveHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "ok\n") })
}

// readyHandler tells whether the gateway takes requests.
func readyHandler(state State) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if state.Draining() {
			plain(w, http.StatusServiceUnavailable, "draining\n")
			return
		}
		plain(w, http.StatusOK, "ready\n")
	})
}

func plain(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_, _ = w.Write([]byte(text)) // the caller has left if this fails
}
