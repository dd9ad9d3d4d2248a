package openai

import (
	"net/http"
	"slices"
	"strings"

	"github.com/lexilingo/modelgateway/engines"
	"github.com/lexilingo/modelgateway/engines/errs"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/auth"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/reply"
)

// Model is a model as OpenAI's API lists it.
type Model struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"`
	OwnedBy string `json:"owned_by"`
}

// modelList is the answer of "list models".
type modelList struct {
	Object string  `json:"object"`
	Data   []Model `json:"data"`
}

// Models serves the list of models that the caller may use. It loads none.
func (h *Handlers) Models(w http.ResponseWriter, r *http.Request) {
	models, err := h.models(r)
	if err != nil {
		reply.OpenAIError(w, err)
		return
	}
	answer(w, modelList{Object: "list", Data: models})
}

// Model serves one model, by its name or an alias.
func (h *Handlers) Model(w http.ResponseWriter, r *http.Request) {
	models, err := h.models(r)
	if err != nil {
		reply.OpenAIError(w, err)
		return
	}
	name := r.PathValue("model")
	target := name
	if alias, ok := h.opts.Aliases[name]; ok {
		target = alias
	}
	if served := h.opts.Tasks[target]; len(served) > 0 {
		target = served[0]
	}
	i := slices.IndexFunc(models, func(m Model) bool { return m.ID == target })
	if i < 0 {
		reply.OpenAIError(w, unknownModel(name))
		return
	}
	models[i].ID = name
	answer(w, models[i])
}

// NativeModels serves the path of the native list of models, which has this one's
// fields too. Who may not observe the models gets only these.
func (h *Handlers) NativeModels(w http.ResponseWriter, r *http.Request) {
	if auth.CallerOf(r.Context()).HasRole(auth.Observe, auth.Admin) {
		h.opts.API.ServeHTTP(w, r)
		return
	}
	h.Models(w, r)
}

// NativeModel is NativeModels for one model, and for the methods whose names follow the
// name of a model.
func (h *Handlers) NativeModel(w http.ResponseWriter, r *http.Request) {
	if strings.Contains(r.PathValue("model"), ":") || auth.CallerOf(r.Context()).HasRole(auth.Observe, auth.Admin) {
		h.opts.API.ServeHTTP(w, r)
		return
	}
	h.Model(w, r)
}

// models returns the models that the caller may use, in the order of the
// configuration.
func (h *Handlers) models(r *http.Request) ([]Model, error) {
	status, err := h.opts.State.Status(r.Context(), &gatewayv1.StatusRequest{})
	if err != nil {
		return nil, err
	}
	caller, models := auth.CallerOf(r.Context()), []Model{}
	for _, m := range status.GetModels() {
		if caller.MayUseModel(m.GetName()) {
			models = append(models, Model{ID: m.GetName(), Object: "model", Created: h.started.Unix(), OwnedBy: m.GetEngine()})
		}
	}
	return models, nil
}

// resolve returns the model that a name stands for in a task; "" is the task's own.
// A name that nothing is known of is returned: the router refuses it.
func (h *Handlers) resolve(name string, task enginev1.Task) (string, error) {
	target := name
	if alias, ok := h.opts.Aliases[name]; ok {
		target = alias
	}
	if named, ok := engines.LookupTask(target); !ok || named.ByMethod {
		return target, nil
	}
	if want := engines.TaskName(task); engines.CanonicalTask(target) != want {
		return "", errs.New(errs.ModelNotFound, "%q stands for the task %s, and this path needs a model of the task %s; GET %s/models lists the models",
			name, target, want, reply.OpenAIBase).With("model", name)
	}
	return "", nil
}

func unknownModel(name string) *errs.Error {
	return errs.New(errs.ModelNotFound, "no model %q is configured; GET %s/models lists the models, and the configuration key aliases gives them other names",
		name, reply.OpenAIBase).With("model", name)
}

// loading returns how far the load of a model is that a request waits for, in percent.
// It reports false if none is loaded.
func (h *Handlers) loading(r *http.Request, model string, task enginev1.Task) (percent int, ok bool) {
	candidates := h.opts.Tasks[engines.TaskName(task)]
	if model != "" {
		candidates = []string{model}
	}
	status, err := h.opts.State.Status(r.Context(), &gatewayv1.StatusRequest{})
	if err != nil {
		return 0, false
	}
	for _, m := range status.GetModels() {
		if m.GetState() == gatewayv1.ModelState_MODEL_STATE_LOADING && slices.Contains(candidates, m.GetName()) {
			return int(100 * m.GetLoadProgress()), true
		}
	}
	return 0, false
}
