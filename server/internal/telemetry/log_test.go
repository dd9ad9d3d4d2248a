package telemetry

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/lexilingo/modelgateway/server/internal/config"
)

func TestDurationsHaveAUnit(t *testing.T) {
	for _, format := range []string{"json", "text"} {
		var out bytes.Buffer
		NewLogger(&out, config.Log{Level: "info", Format: format}).
			With("limit", 2*time.Minute).WithGroup("g").Info("ended", "took", 1200*time.Millisecond)
		for _, want := range []string{"1.2s", "2m0s"} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s: no %q in %s", format, want, out.String())
			}
		}
		if format == "json" && !json.Valid(out.Bytes()) {
			t.Errorf("not JSON: %s", out.String())
		}
	}
}
