package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/lexilingo/modelgateway/server/internal/config"
)

// manyFallbacks is the share of requests from which fallbacks are a warning.
const manyFallbacks = 0.05

// checkFallbacks reads from the metrics of a running server how often requests
// fell back to another model, and why.
func checkFallbacks(ctx context.Context, cfg *config.Config) Finding {
	const check = "fallbacks"
	families, err := readMetrics(ctx, cfg.HTTPListen)
	if err != nil {
		return warn(check, "", "cannot read the server's metrics: %s", oneLine(err))
	}
	requests := sum(families["modelgateway_requests_total"])
	fallbacks := sum(families["modelgateway_fallbacks_total"])
	if fallbacks < manyFallbacks*requests || fallbacks == 0 {
		return ok(check, "%.0f of %.0f requests since the server started", fallbacks, requests)
	}
	from, to, reason, count := mostFrequent(families["modelgateway_fallbacks_total"])
	return warn(check, fallbackRemedy(from, reason), "%.0f of %.0f requests since the server started; %.0f from %s to %s because of %s",
		fallbacks, requests, count, from, to, reason)
}

func fallbackRemedy(model, reason string) string {
	switch reason {
	case "DEADLINE", "QUEUE_FULL":
		return fmt.Sprintf(`Give requests more time, or keep the model loaded: "modelgateway load --pin %s".`, model)
	case "MEMORY_BUSY", "MODEL_EXCEEDS_BUDGET":
		return fmt.Sprintf(`Raise MAX_MEMORY_MB, shorten idle timeouts, or raise the model's priority; "modelgateway plan %s" shows what uses the memory.`, model)
	default:
		return `Run "modelgateway models" to see why the model failed last, and look at the checks above.`
	}
}

// readMetrics reads the metrics of the server at an HTTP listen address.
func readMetrics(ctx context.Context, listen string) (map[string]*dto.MetricFamily, error) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	res, err := get(ctx, listen, "/metrics")
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return nil, errors.New(res.Status)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	return parser.TextToMetricFamilies(res.Body)
}

// get sends a request to the server at an HTTP listen address.
func get(ctx context.Context, listen, path string) (*http.Response, error) {
	network, address := config.SplitListen(listen)
	if network != "unix" {
		address = config.DialAddress(address)
	}
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, address)
		},
	}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost"+path, http.NoBody)
	if err != nil {
		return nil, err
	}
	return client.Do(req)
}

func sum(family *dto.MetricFamily) float64 {
	var total float64
	for _, m := range family.GetMetric() {
		total += m.GetCounter().GetValue()
	}
	return total
}

// mostFrequent returns the most frequent fallback.
func mostFrequent(family *dto.MetricFamily) (from, to, reason string, count float64) {
	for _, m := range family.GetMetric() {
		if v := m.GetCounter().GetValue(); v > count {
			labels := map[string]string{}
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			from, to, reason, count = labels["from"], labels["to"], strings.ToUpper(labels["reason"]), v
		}
	}
	return from, to, reason, count
}
