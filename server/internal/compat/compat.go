// Package compat serves the untyped calls that the Python gateway had: ExecuteTask
// and Invoke. It converts their parameters to typed requests, calls the typed
// handlers, and converts the answers back. Nothing else knows that these calls
// exist.
package compat

import (
	"context"
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/lexilingo/modelgateway/engines"
	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// Handlers are the typed handlers; see api.Inference. Its own ExecuteTask and
// Invoke call a method that only an engine knows.
type Handlers interface {
	gatewayv1.ModelGatewayServiceServer
	// SynthesizeWhole returns all of the speech in one message.
	SynthesizeWhole(ctx context.Context, req *gatewayv1.SynthesizeRequest) (*gatewayv1.SynthesizeResponse, error)
}

// Models lists the models; see lifecycle.Manager.
type Models interface {
	Models(ctx context.Context) ([]*gatewayv1.Model, error)
}

// Validator checks a message against the rules in its proto; see api.Validator.
type Validator interface {
	Check(msg proto.Message) error
}

// Options are what a Service needs.
type Options struct {
	// Handlers are the typed handlers.
	Handlers Handlers
	// Models lists the models, for calls that do not name a task.
	Models Models
	// Validator checks the typed requests.
	Validator Validator
	// HasTask reports whether a model is configured for a task.
	HasTask func(task string) bool
	// TaskMethods maps the tasks that the configuration adds to their engine methods.
	TaskMethods map[string]string
}

// Service is a ModelGatewayService: ExecuteTask and Invoke are its own, and all
// other methods those of the typed handlers.
type Service struct {
	Handlers

	models      Models
	validator   Validator
	hasTask     func(task string) bool
	taskMethods map[string]string
}

var _ gatewayv1.ModelGatewayServiceServer = (*Service)(nil)

// New returns the service.
func New(opts Options) *Service {
	return &Service{
		Handlers:    opts.Handlers,
		models:      opts.Models,
		validator:   opts.Validator,
		hasTask:     opts.HasTask,
		taskMethods: opts.TaskMethods,
	}
}

// untypedCall is a call whose parameters have no type.
type untypedCall struct {
	task    engines.Task
	model   string // empty: as the task is routed
	routing *gatewayv1.Routing
	params  *structpb.Struct
}

// ExecuteTask implements gatewayv1.ModelGatewayServiceServer.
func (s *Service) ExecuteTask(ctx context.Context, req *gatewayv1.ExecuteTaskRequest) (*gatewayv1.ExecuteTaskResponse, error) {
	task, _ := engines.LookupTask(req.GetTaskType())
	convert := conversionOf(task)
	if _, own := s.taskMethods[task.Name]; own || convert == nil {
		return s.Handlers.ExecuteTask(ctx, req)
	}
	if !s.hasTask(task.Name) {
		return nil, errs.New(errs.TaskUnknown, "no model is routed for the task %q", task.Name).With("task", task.Name)
	}
	// The Python gateway wrote the task into the caller's parameters, so callers that
	// reuse them send it.
	if named, ok := req.GetParams().GetFields()[taskParam]; ok && engines.CanonicalTask(named.GetStringValue()) != task.Name {
		return nil, errs.New(errs.InvalidRequest, "params.task names another task than task_type, which is %q: leave params.task out", req.GetTaskType())
	}
	data, served, err := convert(ctx, s, untypedCall{task: task, routing: req.GetRouting(), params: req.GetParams()})
	if err != nil {
		return nil, err
	}
	return &gatewayv1.ExecuteTaskResponse{Data: data, ServedBy: served}, nil
}

// Invoke implements gatewayv1.ModelGatewayServiceServer. The methods of the Python
// gateway's models run typed tasks; other methods are the engine's.
func (s *Service) Invoke(ctx context.Context, req *gatewayv1.InvokeRequest) (*gatewayv1.InvokeResponse, error) {
	task, err := s.invokedTask(ctx, req)
	if err != nil {
		return nil, err
	}
	convert := conversionOf(task)
	if convert == nil {
		return s.Handlers.Invoke(ctx, req)
	}
	routing := &gatewayv1.Routing{}
	if req.GetRouting() != nil {
		routing = proto.CloneOf(req.GetRouting())
	}
	routing.NoFallback = true // the call names its model
	data, served, err := convert(ctx, s, untypedCall{task: task, model: req.GetModelName(), routing: routing, params: req.GetParams()})
	if err != nil {
		return nil, err
	}
	return &gatewayv1.InvokeResponse{Data: data, ServedBy: served}, nil
}

// invokedTask returns the task that a call of Invoke means: the one of its method,
// for the method "invoke" the one that its parameters name, or else the first that
// the model is routed for. It returns the zero Task for methods of the engine.
func (s *Service) invokedTask(ctx context.Context, req *gatewayv1.InvokeRequest) (engines.Task, error) {
	if req.GetMethod() != "invoke" {
		return taskOfMethod(req.GetMethod()), nil
	}
	if named := req.GetParams().GetFields()[taskParam].GetStringValue(); named != "" {
		task, _ := engines.LookupTask(named)
		return task, nil
	}
	models, err := s.models.Models(ctx)
	if err != nil {
		return engines.Task{}, err
	}
	i := slices.IndexFunc(models, func(m *gatewayv1.Model) bool { return m.GetName() == req.GetModelName() })
	if i < 0 {
		return engines.Task{}, nil
	}
	for _, task := range engines.Tasks() {
		if slices.Contains(models[i].GetTasks(), task.Name) {
			return task, nil
		}
	}
	return engines.Task{}, nil
}
