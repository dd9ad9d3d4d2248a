package api

import (
	"context"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/lexilingo/modelgateway/engines"
	"github.com/lexilingo/modelgateway/engines/errs"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/router"
)

// ExecuteTask implements gatewayv1.ModelGatewayServiceServer for the tasks that the
// configuration adds: it calls the engine method that the configuration names.
// Package compat serves the built-in tasks.
func (s *Inference) ExecuteTask(ctx context.Context, req *gatewayv1.ExecuteTaskRequest) (*gatewayv1.ExecuteTaskResponse, error) {
	task := engines.CanonicalTask(req.GetTaskType())
	method, ok := s.taskMethods[task]
	if !ok {
		return nil, errs.New(errs.TaskUnknown, "no model is routed for the task %q", task).With("task", task)
	}
	call := invocation(method, req.GetParams())
	call.Task, call.Routing = task, req.GetRouting()
	data, served, err := ask(ctx, s.router, call, (*enginev1.RunResponse).GetInvoke)
	if err != nil {
		return nil, err
	}
	return &gatewayv1.ExecuteTaskResponse{Data: data, ServedBy: served}, nil
}

// Invoke implements gatewayv1.ModelGatewayServiceServer: it calls a method of the
// model's engine. No other model can answer instead.
func (s *Inference) Invoke(ctx context.Context, req *gatewayv1.InvokeRequest) (*gatewayv1.InvokeResponse, error) {
	call := invocation(req.GetMethod(), req.GetParams())
	call.Model, call.Routing = req.GetModelName(), &gatewayv1.Routing{}
	if req.GetRouting() != nil {
		call.Routing = proto.CloneOf(req.GetRouting())
	}
	call.Routing.NoFallback = true
	data, served, err := ask(ctx, s.router, call, (*enginev1.RunResponse).GetInvoke)
	if err != nil {
		return nil, err
	}
	return &gatewayv1.InvokeResponse{Data: data, ServedBy: served}, nil
}

// invocation returns the router's request for an engine method.
func invocation(method string, params *structpb.Struct) router.Request {
	return router.Request{
		Task: engines.TaskName(enginev1.Task_TASK_INVOKE),
		First: &enginev1.RunRequest{Payload: &enginev1.RunRequest_Invoke{
			Invoke: &enginev1.InvokeTask{Method: method, Params: params},
		}},
	}
}
