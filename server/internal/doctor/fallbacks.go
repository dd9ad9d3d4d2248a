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

	"github.com/lexilingo/modelgateway/server/internal/certificates"
	"github.com/lexilingo/modelgateway/server/internal/config"
)

// manyFallbacks is the share of requests from which fallbacks are a warning.
const manyFallbacks = 0.05

// checkFallbacks reads from the metrics of a running server how often requests
// fell back to another model, and why.
func (l local) checkFallbacks(ctx context.Context) Finding {
	const check = "fallbacks"
	families, err := l.readMetrics(ctx)
	if errors.Is(err, errKey) {
		return warn(check, "Set MODELGATEWAY_API_KEY to a key with the role metrics or admin.", "%s", err)
	}
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

// errKey says that the metrics need an API key with the right role.
var errKey = errors.New("the server's metrics need an API key")

// readMetrics reads the metrics of the server.
func (l local) readMetrics(ctx context.Context) (map[string]*dto.MetricFamily, error) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	res, err := l.get(ctx, "/metrics")
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	if l.cfg.Auth.Required() && (res.StatusCode == http.StatusUnauthorized || res.StatusCode == http.StatusForbidden) {
		return nil, errKey
	}
	if res.StatusCode != http.StatusOK {
		return nil, errors.New(res.Status)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	return parser.TextToMetricFamilies(res.Body)
}

// get sends a request to the server's HTTP listen address.
func (l local) get(ctx context.Context, path string) (*http.Response, error) {
	secure, err := certificates.ForLocal(l.cfg)
	if err != nil {
		return nil, err
	}
	scheme := "http"
	network, address := config.SplitListen(l.cfg.HTTPListen)
	if network != "unix" {
		address = config.DialAddress(address)
		if secure != nil {
			scheme = "https"
		}
	}
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   secure,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, address)
		},
	}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://localhost"+path, http.NoBody)
	if err != nil {
		return nil, err
	}
	if l.apiKey != "" {
		req.Header.Set("Authorization", "Bearer "+l.apiKey)
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
