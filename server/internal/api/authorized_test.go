package api

import (
	"context"
	"testing"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/server/internal/auth"
	"github.com/lexilingo/modelgateway/server/internal/lifecycle"
	"github.com/lexilingo/modelgateway/server/internal/router"
	"github.com/lexilingo/modelgateway/server/internal/telemetry"
)

// A request for a lease has the weight of its caller's key.
func TestLeasesHaveTheWeightOfTheirKey(t *testing.T) {
	var asked lifecycle.Request
	routed := router.New(router.Options{
		Acquire: func(_ context.Context, req lifecycle.Request) (router.Lease, error) {
			asked = req
			return nil, errs.New(errs.QueueFull, "full")
		},
		Models:   map[string]router.Model{"qwen": {}},
		Tasks:    map[string][]string{"chat": {"qwen"}},
		Observer: telemetry.NewMetrics(nil),
	})
	ctx := auth.WithCaller(t.Context(), &auth.Caller{ID: "k", Name: "key", Weight: 3})
	_, err := authorized{routed, func(_ *auth.Caller, err error) error { return err }}.Run(ctx, router.Request{Task: "chat"}, &chatCollector{})
	if errs.ReasonOf(err) != errs.QueueFull || asked.Weight != 3 {
		t.Errorf("%+v, %v", asked, err)
	}
}
