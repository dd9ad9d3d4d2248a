package api

import (
	"strings"
	"testing"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// A short request has every mistake named, up to ten. In a very long list only the
// first is looked for: each costs as much as a request.
func TestViolationsAreNamed(t *testing.T) {
	v, err := NewValidator()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ messages, fields, more int }{{2, 2, 0}, {10, 10, 0}, {500, 10, 490}, {20_000, 1, 0}} {
		req := &gatewayv1.ChatRequest{}
		for range c.messages {
			req.Messages = append(req.Messages, &gatewayv1.ChatMessage{Content: "a"})
		}
		e := errs.From(v.Check(req))
		if got := strings.Count(e.Metadata()["fields"], ",") + 1; e.Reason() != errs.InvalidRequest || got != c.fields {
			t.Errorf("%d messages: %d fields in %v", c.messages, got, e)
		}
		if got := strings.HasSuffix(e.Message(), " more"); got != (c.more > 0) {
			t.Errorf("%d messages: %v", c.messages, e)
		}
		if allocations := testing.AllocsPerRun(1, func() { _ = v.Check(req) }); allocations > 20_000 {
			t.Errorf("%d messages: %.0f allocations", c.messages, allocations)
		}
	}
}
