package api

import (
	"context"

	"github.com/lexilingo/modelgateway/engines"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/router"
)

// addressed is a request that can name a model and how it is routed.
type addressed interface {
	GetModel() string
	GetRouting() *gatewayv1.Routing
}

// request returns the router's request for an engine's request. The task is the
// one that first asks for; model and routing are those of the caller's request.
func request(from addressed, first *enginev1.RunRequest) router.Request {
	task, _ := engines.TaskOf(first)
	return router.Request{Task: task.Name, Model: from.GetModel(), Routing: from.GetRouting(), First: first}
}

// ask runs a task that has one answer. get returns the answer in a message, or nil
// if the message answers another task.
func ask[T any](ctx context.Context, r Router, req router.Request, get func(*enginev1.RunResponse) *T) (*T, *gatewayv1.ServedBy, error) {
	sink := &singleAnswer[T]{get: get}
	req.Collected = true
	served, err := r.Run(ctx, req, sink)
	if err != nil {
		return nil, nil, err
	}
	answer, err := sink.result()
	return answer, served, err
}
