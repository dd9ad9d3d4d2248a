package telemetry

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// An engine may report negative numbers, on which a counter panics.
func TestNegativeNumbersCountAsZero(t *testing.T) {
	m := NewMetrics([]string{"own"})
	m.Audio("", "transcribe", "own", 2500*time.Millisecond)
	m.Audio("", "transcribe", "own", -time.Hour)
	m.Tokens("", "own", &gatewayv1.Usage{PromptTokenCount: 7, CachedPromptTokenCount: -1, CompletionTokenCount: -1 << 31})
	answer := httptest.NewRecorder()
	m.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for _, line := range []string{
		`modelgateway_audio_seconds_total{model="own",task="transcribe"} 2.5`,
		`modelgateway_tokens_total{kind="prompt",model="own"} 7`,
		`modelgateway_tokens_total{kind="cached_prompt",model="own"} 0`,
		`modelgateway_tokens_total{kind="completion",model="own"} 0`,
	} {
		if !strings.Contains(answer.Body.String(), line+"\n") {
			t.Errorf("the metrics lack %s", line)
		}
	}
}
