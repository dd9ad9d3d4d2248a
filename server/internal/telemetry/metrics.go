package telemetry

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"google.golang.org/grpc/codes"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/lifecycle"
	"github.com/lexilingo/modelgateway/server/internal/quota"
	"github.com/lexilingo/modelgateway/server/internal/router"
)

const namespace = "modelgateway"

// Metrics counts what the router and the lifecycle manager report, for
// Prometheus.
type Metrics struct {
	registry *prometheus.Registry

	requests         *prometheus.CounterVec
	keyRequests      *prometheus.CounterVec
	keyTokens        *prometheus.CounterVec
	keyAudio         *prometheus.CounterVec
	limited          *prometheus.CounterVec
	requestDuration  *prometheus.HistogramVec
	queueDuration    *prometheus.HistogramVec
	fallbacks        *prometheus.CounterVec
	tokens           *prometheus.CounterVec
	audio            *prometheus.CounterVec
	state            *prometheus.GaugeVec
	breaker          *prometheus.GaugeVec
	loads            *prometheus.CounterVec
	loadDuration     *prometheus.HistogramVec
	evictions        *prometheus.CounterVec
	modelMemoryBytes *prometheus.GaugeVec
}

var (
	_ router.Observer    = (*Metrics)(nil)
	_ lifecycle.Observer = (*Metrics)(nil)
	_ quota.Observer     = (*Metrics)(nil)
)

// seconds are the buckets of durations: from the server's own overhead to a long
// load.
func seconds() []float64 {
	return []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300}
}

// NewMetrics returns the metrics of the named models.
func NewMetrics(models []string) *Metrics {
	m := &Metrics{
		registry:         prometheus.NewRegistry(),
		requests:         counter("requests_total", "Inference requests that have ended.", "task", "model", "code"),
		keyRequests:      counter("key_requests_total", "Inference requests that have ended, and calls that were refused because of their credential, by the name of the API key or of the caller in the configuration; empty without a valid credential.", "key", "code"),
		keyTokens:        counter("key_tokens_total", "Tokens that language models have read and written, by the name of the API key.", "key", "kind"),
		keyAudio:         counter("key_audio_seconds_total", "Seconds of audio that models have read or made, by the name of the API key.", "key", "task"),
		limited:          counter("limited_total", "Requests that were refused, or ended, because their caller has used up a limit.", "key", "limit"),
		requestDuration:  histogram("request_duration_seconds", "Time of a request, queue and load included.", "task", "model"),
		queueDuration:    histogram("queue_duration_seconds", "Time that a request waited, without the load.", "task", "model"),
		fallbacks:        counter("fallbacks_total", "Requests that a fallback model answered.", "task", "from", "to", "reason"),
		tokens:           counter("tokens_total", "Tokens that language models have read and written.", "model", "kind"),
		audio:            counter("audio_seconds_total", "Seconds of audio that models have read or made.", "model", "task"),
		state:            gauge("model_state", "1 for the state that the model is in.", "model", "state"),
		breaker:          gauge("breaker_state", "The model's circuit breaker: 0 closed, 1 half-open, 2 open.", "model"),
		loads:            counter("model_loads_total", "Loads that have ended.", "model", "result"),
		loadDuration:     histogram("model_load_duration_seconds", "Time of a successful load.", "model"),
		evictions:        counter("model_evictions_total", "Unloads of models.", "model", "reason"),
		modelMemoryBytes: gauge("model_memory_bytes", "Bytes of a model: reserved, measured, and the highest measured.", "model", "kind"),
	}
	m.registry.MustRegister(m.requests, m.keyRequests, m.keyTokens, m.keyAudio, m.limited, m.requestDuration, m.queueDuration, m.fallbacks, m.tokens, m.audio,
		m.state, m.breaker, m.loads, m.loadDuration, m.evictions, m.modelMemoryBytes,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	for _, model := range models {
		m.StateChanged(model, gatewayv1.ModelState_MODEL_STATE_UNSPECIFIED, gatewayv1.ModelState_MODEL_STATE_UNLOADED)
		m.BreakerChanged(model, gatewayv1.BreakerState_BREAKER_STATE_CLOSED)
	}
	return m
}

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
}

func gauge(name, help string, labels ...string) *prometheus.GaugeVec {
	return prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help}, labels)
}

func histogram(name, help string, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: seconds()}, labels)
}

// WatchMemory adds the memory metrics, which are computed when they are read.
func (m *Metrics) WatchMemory(totals func(context.Context) (lifecycle.Totals, error)) {
	read := func(pick func(lifecycle.Totals) int64) func() float64 {
		return func() float64 {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			t, err := totals(ctx)
			if err != nil { // the manager has ended, and no model is loaded
				return 0
			}
			return float64(pick(t))
		}
	}
	m.registry.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Namespace: namespace, Name: "memory_budget_bytes", Help: "Bytes that all models together may use.",
		}, read(func(t lifecycle.Totals) int64 { return t.BudgetBytes })),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Namespace: namespace, Name: "memory_used_bytes", Help: "Bytes charged to models.",
		}, read(func(t lifecycle.Totals) int64 { return t.UsedBytes })),
	)
}

// WatchQueues adds the metrics of the queues, which are computed when they are
// read.
func (m *Metrics) WatchQueues(queues func(context.Context) ([]lifecycle.Queue, error)) {
	m.registry.MustRegister(queueCollector{queues})
}

// queueCollector implements prometheus.Collector.
type queueCollector struct {
	read func(context.Context) ([]lifecycle.Queue, error)
}

var (
	queuedDesc = queueDesc("requests_queued", "Requests that wait for the model.")
	activeDesc = queueDesc("requests_active", "Requests that the model works on.")
	oldestDesc = queueDesc("oldest_wait_seconds", "Time for which the oldest request has waited for the model.")
)

func queueDesc(name, help string) *prometheus.Desc {
	return prometheus.NewDesc(namespace+"_"+name, help, []string{"model"}, nil)
}

// Describe implements prometheus.Collector.
func (queueCollector) Describe(out chan<- *prometheus.Desc) {
	out <- queuedDesc
	out <- activeDesc
	out <- oldestDesc
}

// Collect implements prometheus.Collector.
func (c queueCollector) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	queues, err := c.read(ctx)
	if err != nil {
		return // the manager has ended
	}
	for _, q := range queues {
		for desc, value := range map[*prometheus.Desc]float64{
			queuedDesc: float64(q.Queued), activeDesc: float64(q.Active), oldestDesc: q.OldestWait.Seconds(),
		} {
			out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, q.Model)
		}
	}
}

// Handler serves the metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry})
}

// RequestEnded implements router.Observer.
func (m *Metrics) RequestEnded(caller, task, model string, err error, took, queued time.Duration) {
	code := codes.OK
	if err != nil {
		code = errs.Code(errs.ReasonOf(err))
	}
	m.requests.WithLabelValues(task, model, code.String()).Inc()
	if caller != "" {
		m.keyRequests.WithLabelValues(caller, code.String()).Inc()
	}
	m.requestDuration.WithLabelValues(task, model).Observe(took.Seconds())
	m.queueDuration.WithLabelValues(task, model).Observe(queued.Seconds())
}

// RequestDenied implements auth.Observer.
func (m *Metrics) RequestDenied(caller string, err error) {
	m.keyRequests.WithLabelValues(caller, errs.Code(errs.ReasonOf(err)).String()).Inc()
}

// FellBack implements router.Observer.
func (m *Metrics) FellBack(task, from, to string, reason gatewayv1.FallbackReason) {
	m.fallbacks.WithLabelValues(task, from, to, label(reason.String(), "FALLBACK_REASON_")).Inc()
}

// BreakerChanged implements router.Observer.
func (m *Metrics) BreakerChanged(model string, state gatewayv1.BreakerState) {
	value := 0.0
	switch state {
	case gatewayv1.BreakerState_BREAKER_STATE_HALF_OPEN:
		value = 1
	case gatewayv1.BreakerState_BREAKER_STATE_OPEN:
		value = 2
	}
	m.breaker.WithLabelValues(model).Set(value)
}

// Tokens implements router.Observer.
func (m *Metrics) Tokens(caller, model string, usage *gatewayv1.Usage) {
	for kind, n := range map[string]int32{
		"prompt": usage.GetPromptTokenCount(), "cached_prompt": usage.GetCachedPromptTokenCount(), "completion": usage.GetCompletionTokenCount(),
	} {
		// A counter panics on a negative number, and an engine may report one.
		m.tokens.WithLabelValues(model, kind).Add(float64(max(0, n)))
		if caller != "" {
			m.keyTokens.WithLabelValues(caller, kind).Add(float64(max(0, n)))
		}
	}
}

// Audio implements router.Observer.
func (m *Metrics) Audio(caller, task, model string, length time.Duration) {
	m.audio.WithLabelValues(model, task).Add(max(0, length).Seconds())
	if caller != "" {
		m.keyAudio.WithLabelValues(caller, task).Add(max(0, length).Seconds())
	}
}

// Limited implements quota.Observer.
func (m *Metrics) Limited(caller, limit string) { m.limited.WithLabelValues(caller, limit).Inc() }

// StateChanged implements lifecycle.Observer.
func (m *Metrics) StateChanged(model string, _, to gatewayv1.ModelState) {
	for value, name := range gatewayv1.ModelState_name {
		if value == 0 {
			continue
		}
		on := 0.0
		if gatewayv1.ModelState(value) == to {
			on = 1
		}
		m.state.WithLabelValues(model, label(name, "MODEL_STATE_")).Set(on)
	}
}

// LoadEnded implements lifecycle.Observer.
func (m *Metrics) LoadEnded(model string, took time.Duration, err error) {
	if err == nil {
		m.loads.WithLabelValues(model, "ok").Inc()
		m.loadDuration.WithLabelValues(model).Observe(took.Seconds())
		return
	}
	m.loads.WithLabelValues(model, label(errs.ReasonName(errs.ReasonOf(err)), "")).Inc()
}

// Unloaded implements lifecycle.Observer.
func (m *Metrics) Unloaded(model string, reason gatewayv1.EvictionReason) {
	m.evictions.WithLabelValues(model, label(reason.String(), "EVICTION_REASON_")).Inc()
}

// MemoryChanged implements lifecycle.Observer.
func (m *Metrics) MemoryChanged(model string, reserved, measured, peak int64) {
	m.modelMemoryBytes.WithLabelValues(model, "reserved").Set(float64(reserved))
	m.modelMemoryBytes.WithLabelValues(model, "measured").Set(float64(measured))
	m.modelMemoryBytes.WithLabelValues(model, "peak").Set(float64(peak))
}

// label returns the value of a label for the name of an enum value.
func label(name, prefix string) string {
	return strings.ToLower(strings.TrimPrefix(name, prefix))
}
