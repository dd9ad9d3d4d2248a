// Package pages serves what people and probes read: health, and the description
// of the REST API.
package pages

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// State is the state of the server.
type State interface {
	// Status answers as the RPC Status.
	Status(ctx context.Context, req *gatewayv1.StatusRequest) (*gatewayv1.StatusResponse, error)
	// Draining reports whether the server is shutting down.
	Draining() bool
	// Loading reports whether the server loads models before it is ready.
	Loading() bool
	// Ready returns why the server cannot load models; nil if nothing prevents it.
	Ready() error
}

// health is what GET /health answers: the fields of the Python gateway, and more.
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

// mebibytes rounds up, so that used memory is never shown as 0.
func mebibytes(bytes int64) int64 { return (bytes + 1<<20 - 1) >> 20 }

// newHealth returns a status in the form of the Python gateway.
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

// stateName returns the name of a state in the Python gateway.
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

// Health serves the state of the server in the form of the Python gateway: with
// 200, and with 503 while the server is shutting down.
func Health(state State) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, err := state.Status(r.Context(), &gatewayv1.StatusRequest{})
		if err != nil {
			s = &gatewayv1.StatusResponse{Draining: true}
		}
		h := newHealth(s)
		if h.Status == statusHealthy && state.Ready() != nil {
			h.Status = statusDegraded
		}
		code := http.StatusOK
		if h.Status == statusDraining {
			code = http.StatusServiceUnavailable
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(code)
		_ = json.NewEncoder(w).Encode(h) // fails only if the client is gone
	})
}

// Live serves a liveness probe: it answers 200 while the process runs.
func Live() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { writeText(w, http.StatusOK, "ok\n") })
}

// Ready serves a readiness probe: it answers 200, and 503 while the server is
// shutting down, loads the models that it needs to be ready, or cannot load models.
func Ready(state State) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if state.Draining() {
			writeText(w, http.StatusServiceUnavailable, "draining\n")
			return
		}
		if state.Loading() {
			writeText(w, http.StatusServiceUnavailable, "loading models\n")
			return
		}
		if err := state.Ready(); err != nil {
			writeText(w, http.StatusServiceUnavailable, "no model can be loaded: "+errs.From(err).Message()+"\n")
			return
		}
		writeText(w, http.StatusOK, "ready\n")
	})
}

func writeText(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_, _ = w.Write([]byte(text)) // fails only if the client is gone
}
