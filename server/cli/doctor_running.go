package cli

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

// manyFallbacks is the share of requests from which fallbacks are worth a word.
const manyFallbacks = 0.05

// checkFallbacks asks a server that runs how often another model answered than
// the task's primary, and why.
func checkFallbacks(ctx context.Context, cfg *config.Config) finding {
	const check = "fallbacks"
	families, err := metricsOf(ctx, cfg.HTTPListen)
	if err != nil {
		return warn(check, "", "the server's metrics cannot be read: %s", oneLine(err))
	}
	requests := sum(families["modelgateway_requests_total"])
	fallbacks := sum(families["modelgateway_fallbacks_total"])
	if fallbacks < manyFallbacks*requests || fallbacks == 0 {
		return ok(check, "%.0f of %.0f requests since the server's start", fallbacks, requests)
	}
	from, to, reason, n := most(families["modelgateway_fallbacks_total"])
	return warn(check, remedyOfFallback(from, reason), "%.0f of %.0f requests since the server's start; %.0f from %s to %s because of %s",
		fallbacks, requests, n, from, to, reason)
}

// remedyOfFallback says what usually helps.
func remedyOfFallback(model, reason string) string {
	switch reason {
	case "DEADLINE", "QUEUE_FULL":
		return fmt.Sprintf("Give requests more time, or load %s ahead: modelgateway load --pin %s.", model, model)
	case "MEMORY_BUSY", "MODEL_EXCEEDS_BUDGET":
		return fmt.Sprintf("See modelgateway plan %s; raise MAX_MEMORY_MB, shorten idle timeouts, or raise its priority.", model)
	default:
		return "See modelgateway models for what the model last failed with, and the checks above."
	}
}

// metricsOf reads the metrics of the server at an HTTP listen address.
func metricsOf(ctx context.Context, listen string) (map[string]*dto.MetricFamily, error) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	network, address := config.SplitListen(listen)
	if network != "unix" {
		address = reachable(address)
	}
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, address)
		},
	}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost/metrics", http.NoBody)
	if err != nil {
		return nil, err
	}
	res, err := client.Do(req)
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

func sum(family *dto.MetricFamily) float64 {
	var total float64
	for _, m := range family.GetMetric() {
		total += m.GetCounter().GetValue()
	}
	return total
}

// most finds the commonest fallback.
func most(family *dto.MetricFamily) (from, to, reason string, n float64) {
	for _, m := range family.GetMetric() {
		if v := m.GetCounter().GetValue(); v > n {
			labels := map[string]string{}
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			from, to, reason, n = labels["from"], labels["to"], strings.ToUpper(labels["reason"]), v
		}
	}
	return from, to, reason, n
}
