package api

import (
	"context"
	"encoding/json"
	"maps"
	"slices"

	"github.com/lexilingo/modelgateway/engines/errs"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/config"
	"github.com/lexilingo/modelgateway/server/internal/router"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
)

// looseCall is a call of the original gateway's kind: parameters and result
// without a type.
type looseCall struct {
	task    string // as routed
	model   string
	routing *gatewayv1.Routing
	params  *structpb.Struct
}

// looseTask runs a loose call through a typed task.
type looseTask func(s *Inference, ctx context.Context, call looseCall) (*structpb.Struct, *gatewayv1.ServedBy, error)

// looseTasks returns the task types that loose calls know, by their names.
func looseTasks() map[string]looseTask {
	return map[string]looseTask{
		config.TaskChat:          (*Inference).looseChat,
		config.TaskGrammar:       (*Inference).looseGrammar,
		config.TaskRespond:       (*Inference).looseRespond,
		config.TaskExplain:       (*Inference).looseExplain,
		config.TaskTranscribe:    (*Inference).looseTranscribe,
		config.TaskSynthesize:    (*Inference).looseSynthesize,
		config.TaskPronunciation: (*Inference).loosePronunciation,
	}
}

// taskOfMethod maps the original handlers' methods to task types.
func taskOfMethod(method string) (task string, ok bool) {
	task, ok = map[string]string{
		"chat":                  config.TaskChat,
		"analyze_grammar":       config.TaskGrammar,
		"generate_response":     config.TaskRespond,
		"explain_vietnamese":    config.TaskExplain,
		"transcribe":            config.TaskTranscribe,
		"synthesize":            config.TaskSynthesize,
		"analyze_pronunciation": config.TaskPronunciation,
	}[method]
	return task, ok
}

// canonical returns a task type's first name.
func canonical(task string) string {
	if name, ok := config.Aliases()[task]; ok {
		return name
	}
	return task
}

// ExecuteTask implements gatewayv1.ModelGatewayServiceServer.
func (s *Inference) ExecuteTask(ctx context.Context, req *gatewayv1.ExecuteTaskRequest) (*gatewayv1.ExecuteTaskResponse, error) {
	call := looseCall{task: req.GetTaskType(), routing: req.GetRouting(), params: req.GetParams()}
	run, builtin := looseTasks()[canonical(call.task)]
	method, own := s.methods[call.task]
	switch {
	case own:
		run = invoking(method)
	case !builtin || !s.router.HasTask(call.task):
		return nil, errs.New(errs.TaskUnknown, "no model is routed for the task %q", call.task).With("task", call.task)
	default:
		// The original wrote the task into its callers' own parameters.
		if named, ok := req.GetParams().GetFields()["task"]; ok && canonical(named.GetStringValue()) != canonical(call.task) {
			return nil, errs.New(errs.InvalidRequest, "params.task is another than the task_type %q", call.task)
		}
		call.params = without(call.params, "task")
	}
	data, served, err := run(s, ctx, call)
	if err != nil {
		return nil, err
	}
	return &gatewayv1.ExecuteTaskResponse{Data: data, ServedBy: served}, nil
}

// Invoke implements gatewayv1.ModelGatewayServiceServer.
func (s *Inference) Invoke(ctx context.Context, req *gatewayv1.InvokeRequest) (*gatewayv1.InvokeResponse, error) {
	routing := &gatewayv1.Routing{NoFallback: true}
	if req.GetRouting() != nil {
		routing, _ = proto.Clone(req.GetRouting()).(*gatewayv1.Routing)
		routing.NoFallback = true
	}
	call := looseCall{model: req.GetModelName(), routing: routing, params: req.GetParams()}
	task, ok := taskOfMethod(req.GetMethod())
	if req.GetMethod() == "invoke" {
		var err error
		if task, ok, err = s.namedTask(ctx, req); err != nil {
			return nil, err
		}
	}
	run := invoking(req.GetMethod())
	if loose := looseTasks()[task]; ok && loose != nil {
		call.task, run = task, loose
		call.params = without(call.params, "task")
	} else {
		call.task = router.TaskInvoke
	}
	data, served, err := run(s, ctx, call)
	if err != nil {
		return nil, err
	}
	return &gatewayv1.InvokeResponse{Data: data, ServedBy: served}, nil
}

// namedTask finds the task that the method "invoke" stands for: the one that
// the parameters name, else what the model is there for. An engine of another
// kind may have a method of that name itself.
func (s *Inference) namedTask(ctx context.Context, req *gatewayv1.InvokeRequest) (task string, ok bool, err error) {
	if named := req.GetParams().GetFields()["task"].GetStringValue(); named != "" {
		return canonical(named), true, nil
	}
	models, err := s.models.Models(ctx)
	if err != nil {
		return "", false, err
	}
	for _, m := range models {
		if m.GetName() != req.GetModelName() {
			continue
		}
		for _, task := range config.BuiltinTasks() { // chat is the first
			if slices.Contains(m.GetTasks(), task) {
				return task, true, nil
			}
		}
	}
	return "", false, nil
}

// invoking runs a method that only the engine knows.
func invoking(method string) looseTask {
	return func(s *Inference, ctx context.Context, call looseCall) (*structpb.Struct, *gatewayv1.ServedBy, error) {
		return ask(ctx, s.router, call.request(&enginev1.RunRequest{Payload: &enginev1.RunRequest_Invoke{
			Invoke: &enginev1.InvokeTask{Method: method, Params: call.params},
		}}), (*enginev1.RunResponse).GetInvoke)
	}
}

func (c looseCall) request(first *enginev1.RunRequest) router.Request {
	return router.Request{Task: c.task, Model: c.model, Routing: c.routing, First: first}
}

// typed fills a request from loose parameters, by the names of its fields.
// arrange moves parameters of other names to where they belong. Parameters that
// fit nowhere are errors. A model that they name is the call's.
func (s *Inference) typed(call *looseCall, req proto.Message, arrange func(map[string]any)) error {
	params := call.params.AsMap()
	maps.DeleteFunc(params, func(_ string, v any) bool { return v == nil })
	audio, err := takeAudio(req, params)
	if err != nil {
		return err
	}
	if model, ok := params["model"].(string); ok {
		if call.model != "" && call.model != model {
			return errs.New(errs.InvalidRequest, "params.model is another than the model_name %q", call.model)
		}
		call.model = model
		delete(params, "model")
	}
	if _, ok := params["routing"]; ok {
		return errs.New(errs.InvalidRequest, "routing stands beside params, not in them")
	}
	if arrange != nil {
		arrange(params)
	}
	fit(req.ProtoReflect().Descriptor(), params)
	text, err := json.Marshal(params)
	if err != nil {
		return errs.New(errs.InvalidRequest, "the parameters cannot be read: %s", err)
	}
	if err := protojson.Unmarshal(text, req); err != nil {
		return errs.New(errs.InvalidRequest, "parameters of the task %q: %s", call.task, errs.PlainProtoError(err))
	}
	if audio != nil {
		setAudio(req, audio)
	}
	return s.rules.Check(req)
}

func without(params *structpb.Struct, keys ...string) *structpb.Struct {
	out := &structpb.Struct{Fields: map[string]*structpb.Value{}}
	for k, v := range params.GetFields() {
		if !slices.Contains(keys, k) {
			out.Fields[k] = v
		}
	}
	return out
}
