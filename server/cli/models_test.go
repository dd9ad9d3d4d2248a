package cli

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

func TestLastUnloadIsExplained(t *testing.T) {
	at := time.Date(2026, 1, 2, 15, 4, 5, 0, time.Local)
	m := &gatewayv1.Model{Name: "hubert", LastEviction: &gatewayv1.Eviction{
		Reason: gatewayv1.EvictionReason_EVICTION_REASON_PRESSURE, Time: timestamppb.New(at), RequestedBy: "qwen",
		Detail: "model qwen needed the memory; idle for 12s, priority LOW",
	}}
	detail := "\nLast unload: 2026-01-02 15:04:05, pressure for qwen: model qwen needed the memory; idle for 12s, priority LOW\n"
	for name, tt := range map[string]struct {
		now    time.Time
		column string
	}{
		"on the same day": {at.Add(time.Hour), "  15:04:05 pressure for qwen"},
		"on the next day": {at.Add(24 * time.Hour), "  2026-01-02 15:04:05 pressure for qwen"},
	} {
		var out bytes.Buffer
		if err := writeModel(&out, m, tt.now); err != nil || !strings.Contains(out.String(), tt.column) || !strings.HasSuffix(out.String(), detail) {
			t.Errorf("%s: %v, printed:\n%s", name, err, out.String())
		}
	}
	var out bytes.Buffer
	if err := writeModel(&out, &gatewayv1.Model{Name: "new"}, at); err != nil || strings.Contains(out.String(), "Last unload") {
		t.Errorf("without an unload: %v, printed:\n%s", err, out.String())
	}
}
