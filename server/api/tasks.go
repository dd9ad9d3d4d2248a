package api

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/lexilingo/modelgateway/engines/errs"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/config"
	"github.com/lexilingo/modelgateway/server/router"
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
type looseTask func(s *Gateway, ctx context.Context, call looseCall) (*structpb.Struct, *gatewayv1.ServedBy, error)

// looseTasks returns the task types that loose calls know, by their names.
func looseTasks() map[string]looseTask {
	return map[string]looseTask{
		config.TaskChat:          (*Gateway).looseChat,
		config.TaskGrammar:       (*Gateway).looseGrammar,
		config.TaskRespond:       (*Gateway).looseRespond,
		config.TaskExplain:       (*Gateway).looseExplain,
		config.TaskTranscribe:    (*Gateway).looseTranscribe,
		config.TaskSynthesize:    (*Gateway).looseSynthesize,
		config.TaskPronunciation: (*Gateway).loosePronunciation,
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
func (s *Gateway) ExecuteTask(ctx context.Context, req *gatewayv1.ExecuteTaskRequest) (*gatewayv1.ExecuteTaskResponse, error) {
	call := looseCall{task: req.GetTaskType(), routing: req.GetRouting(), params: req.GetParams()}
	run, builtin := looseTasks()[canonical(call.task)]
	method, own := s.methods[call.task]
	switch {
	case own:
		run = invoking(method)
	case !builtin || !s.router.HasTask(call.task):
		return nil, errs.New(errs.TaskUnknown, "no model is routed for the task %q", call.task).With("task", call.task)
	}
	data, served, err := run(s, ctx, call)
	if err != nil {
		return nil, err
	}
	return &gatewayv1.ExecuteTaskResponse{Data: data, ServedBy: served}, nil
}

// Invoke implements gatewayv1.ModelGatewayServiceServer.
func (s *Gateway) Invoke(ctx context.Context, req *gatewayv1.InvokeRequest) (*gatewayv1.InvokeResponse, error) {
	routing := &gatewayv1.Routing{NoFallback: true}
	if req.GetRouting() != nil {
		routing, _ = proto.Clone(req.GetRouting()).(*gatewayv1.Routing)
		routing.NoFallback = true
	}
	call := looseCall{model: req.GetModelName(), routing: routing, params: req.GetParams()}
	task, ok := taskOfMethod(req.GetMethod())
	if named := req.GetParams().GetFields()["task"].GetStringValue(); req.GetMethod() == "invoke" && named != "" {
		task, ok = canonical(named), true
		call.params = without(call.params, "task")
	}
	run := invoking(req.GetMethod())
	if loose := looseTasks()[task]; ok && loose != nil {
		call.task, run = task, loose
	} else {
		call.task, call.params = router.TaskInvoke, req.GetParams()
	}
	data, served, err := run(s, ctx, call)
	if err != nil {
		return nil, err
	}
	return &gatewayv1.InvokeResponse{Data: data, ServedBy: served}, nil
}

// invoking runs a method that only the engine knows.
func invoking(method string) looseTask {
	return func(s *Gateway, ctx context.Context, call looseCall) (*structpb.Struct, *gatewayv1.ServedBy, error) {
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
// fit nowhere are errors.
func (s *Gateway) typed(call looseCall, req proto.Message, arrange func(map[string]any)) error {
	params := call.params.AsMap()
	if arrange != nil {
		arrange(params)
	}
	text, err := json.Marshal(params)
	if err != nil {
		return errs.New(errs.InvalidRequest, "the parameters cannot be read: %s", err)
	}
	if err := protojson.Unmarshal(text, req); err != nil {
		return errs.New(errs.InvalidRequest, "parameters of the task %q: %s", call.task, plain(err))
	}
	return s.rules.Check(req)
}

// plain removes the prefix and the position that protojson writes; both speak
// of a text that the caller never saw.
func plain(err error) string {
	msg := strings.TrimPrefix(strings.ReplaceAll(err.Error(), "\u00a0", " "), "proto: ")
	if _, after, ok := strings.Cut(msg, "): "); ok && strings.HasPrefix(msg, "(line ") {
		msg = after
	}
	return msg
}

// liftSampling moves the options of sampling, which loose callers give beside
// the text, into their message.
func liftSampling(params map[string]any) {
	sampling, _ := params["sampling"].(map[string]any)
	if sampling == nil {
		sampling = map[string]any{}
	}
	fields := (&gatewayv1.SamplingOptions{}).ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		name := string(fields.Get(i).Name())
		if v, ok := params[name]; ok {
			sampling[name] = v
			delete(params, name)
		}
	}
	if len(sampling) > 0 {
		params["sampling"] = sampling
	}
}

// chatMessages makes a conversation of text, system_prompt and history.
func chatMessages(params map[string]any) {
	liftSampling(params)
	if _, ok := params["messages"]; ok {
		return
	}
	var messages []any
	if system, ok := params["system_prompt"]; ok && system != "" {
		messages = append(messages, map[string]any{"role": "ROLE_SYSTEM", "content": system})
	}
	history, _ := params["history"].([]any)
	for _, turn := range history {
		messages = append(messages, namedRole(turn))
	}
	if text, ok := params["text"]; ok {
		messages = append(messages, map[string]any{"role": "ROLE_USER", "content": text})
	}
	for _, k := range []string{"text", "system_prompt", "history"} {
		delete(params, k)
	}
	params["messages"] = messages
}

// namedRole turns "user" into the enum's "ROLE_USER".
func namedRole(turn any) any {
	m, ok := turn.(map[string]any)
	if !ok {
		return turn
	}
	if role, ok := m["role"].(string); ok && !strings.HasPrefix(role, "ROLE_") {
		m = maps.Clone(m)
		m["role"] = "ROLE_" + strings.ToUpper(role)
	}
	return m
}

// loose turns a typed answer into a Struct of its fields, who served left out.
func loose(answer proto.Message) (*structpb.Struct, error) {
	text, err := protojson.MarshalOptions{UseProtoNames: true, EmitDefaultValues: true}.Marshal(answer)
	if err != nil {
		return nil, err
	}
	out := &structpb.Struct{}
	if err := protojson.Unmarshal(text, out); err != nil {
		return nil, err
	}
	delete(out.GetFields(), "served_by")
	return out, nil
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
