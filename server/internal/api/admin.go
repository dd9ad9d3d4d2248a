package api

import (
	"context"
	"slices"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/auth"
	"github.com/lexilingo/modelgateway/server/internal/config"
	"github.com/lexilingo/modelgateway/server/internal/inflight"
	"github.com/lexilingo/modelgateway/server/internal/lifecycle"
	"github.com/lexilingo/modelgateway/server/internal/peers"
	"google.golang.org/protobuf/types/known/durationpb"
)

// Manager loads and unloads models; see lifecycle.Manager.
type Manager interface {
	ModelStatus
	Model(ctx context.Context, name string) (*gatewayv1.Model, error)
	Load(ctx context.Context, req lifecycle.LoadRequest, progress func(lifecycle.LoadProgress)) error
	Unload(ctx context.Context, name string) (int64, error)
	Plan(ctx context.Context, name string, priority gatewayv1.Priority) (*gatewayv1.PlanLoadResponse, error)
	Watch(ctx context.Context, name string) (<-chan *gatewayv1.WatchModelsResponse, error)
}

var _ Manager = (*lifecycle.Manager)(nil)

// Admin implements ModelAdminService.
type Admin struct {
	gatewayv1.UnimplementedModelAdminServiceServer

	models   Manager
	breakers Breakers
	limits   config.Limits
	watchers *inflight.Shares
	started  time.Time
}

var _ gatewayv1.ModelAdminServiceServer = (*Admin)(nil)

// NewAdmin returns the service. Its streams of events end with the manager.
func NewAdmin(models Manager, breakers Breakers, limits config.Limits) *Admin {
	return &Admin{
		models: models, breakers: breakers, limits: limits, watchers: inflight.NewShares(int64(limits.MaxWatchers)), started: time.Now(),
	}
}

// ListModels implements gatewayv1.ModelAdminServiceServer.
func (a *Admin) ListModels(ctx context.Context, _ *gatewayv1.ListModelsRequest) (*gatewayv1.ListModelsResponse, error) {
	models, err := a.models.Models(ctx)
	if err != nil {
		return nil, err
	}
	models = visible(ctx, models)
	for _, m := range models {
		m.Breaker = a.breakers.Breaker(m.GetName())
	}
	resp := &gatewayv1.ListModelsResponse{Models: models, Object: "list"}
	for _, m := range models {
		resp.Data = append(resp.Data, &gatewayv1.ListedModel{Id: m.GetName(), Object: "model", Created: a.created(), OwnedBy: m.GetEngine()})
	}
	return resp, nil
}

// created is when the models exist from, for clients of OpenAI's API.
func (a *Admin) created() uint32 { return uint32(a.started.Unix()) } //nolint:gosec // until 2106

// model returns the state of one model.
func (a *Admin) model(ctx context.Context, name string) (*gatewayv1.Model, error) {
	model, err := a.models.Model(ctx, name)
	if err != nil {
		return nil, err
	}
	model.Breaker = a.breakers.Breaker(name)
	return model, nil
}

// seen returns the state of a model that the caller may see.
func (a *Admin) seen(ctx context.Context, name string) (*gatewayv1.Model, error) {
	if err := auth.CallerOf(ctx).CheckModel(name); err != nil {
		return nil, err
	}
	model, err := a.model(ctx, name)
	if err != nil {
		return nil, err
	}
	return model, auth.CallerOf(ctx).CheckSees(name, model.GetTasks())
}

// GetModel implements gatewayv1.ModelAdminServiceServer.
func (a *Admin) GetModel(ctx context.Context, req *gatewayv1.GetModelRequest) (*gatewayv1.GetModelResponse, error) {
	model, err := a.seen(ctx, req.GetName())
	if err != nil {
		return nil, err
	}
	return &gatewayv1.GetModelResponse{
		Model: model, Id: model.GetName(), Object: "model", Created: a.created(), OwnedBy: model.GetEngine(),
	}, nil
}

// mayManage returns an error if the caller may not load and unload a model, or not
// with this priority.
func (a *Admin) mayManage(ctx context.Context, model string, priority gatewayv1.Priority) error {
	if _, err := a.seen(ctx, model); err != nil {
		return err
	}
	return auth.CallerOf(ctx).CheckPriority(priority)
}

// LoadModel implements gatewayv1.ModelAdminServiceServer.
func (a *Admin) LoadModel(req *gatewayv1.LoadModelRequest, stream gatewayv1.ModelAdminService_LoadModelServer) error {
	ctx, cancel := context.WithCancelCause(stream.Context())
	defer cancel(nil)
	if err := a.mayManage(ctx, req.GetName(), req.GetPriority()); err != nil {
		return err
	}
	load := lifecycle.LoadRequest{Model: req.GetName(), Pin: req.GetPin(), Priority: req.GetPriority(), MaxPriority: auth.CallerOf(ctx).MaxPriority()}
	err := a.models.Load(ctx, load, func(p lifecycle.LoadProgress) {
		resp := &gatewayv1.LoadModelResponse{State: p.State, Progress: p.Fraction}
		if p.Remaining > 0 {
			resp.ExpectedRemaining = durationpb.New(p.Remaining)
		}
		if err := stream.Send(resp); err != nil {
			cancel(err)
		}
	})
	if err != nil {
		return err
	}
	model, err := a.model(stream.Context(), req.GetName())
	if err != nil {
		return err
	}
	return stream.Send(&gatewayv1.LoadModelResponse{State: model.GetState(), Progress: 1, Model: model})
}

// UnloadModel implements gatewayv1.ModelAdminServiceServer.
func (a *Admin) UnloadModel(ctx context.Context, req *gatewayv1.UnloadModelRequest) (*gatewayv1.UnloadModelResponse, error) {
	if err := a.mayManage(ctx, req.GetName(), gatewayv1.Priority_PRIORITY_UNSPECIFIED); err != nil {
		return nil, err
	}
	freed, err := a.models.Unload(ctx, req.GetName())
	if err != nil {
		return nil, err
	}
	model, err := a.model(ctx, req.GetName())
	if err != nil {
		return nil, err
	}
	return &gatewayv1.UnloadModelResponse{Model: model, FreedBytes: freed}, nil
}

// PlanLoad implements gatewayv1.ModelAdminServiceServer.
func (a *Admin) PlanLoad(ctx context.Context, req *gatewayv1.PlanLoadRequest) (*gatewayv1.PlanLoadResponse, error) {
	if _, err := a.seen(ctx, req.GetName()); err != nil {
		return nil, err
	}
	plan, err := a.models.Plan(ctx, req.GetName(), req.GetPriority())
	if err != nil {
		return nil, err
	}
	models, err := a.models.Models(ctx)
	if err != nil {
		return nil, err
	}
	all, shown := len(models), map[string]bool{}
	for _, m := range visible(ctx, models) {
		shown[m.GetName()] = true
	}
	if len(shown) < all {
		plan.Evictions = slices.DeleteFunc(plan.Evictions, func(e *gatewayv1.PlannedEviction) bool { return !shown[e.GetName()] })
		plan.Kept = slices.DeleteFunc(plan.Kept, func(k *gatewayv1.KeptModel) bool { return !shown[k.GetName()] })
		plan.Explanation = "" // it names other models
	}
	return plan, nil
}

// WatchModels implements gatewayv1.ModelAdminServiceServer.
func (a *Admin) WatchModels(req *gatewayv1.WatchModelsRequest, stream gatewayv1.ModelAdminService_WatchModelsServer) error {
	caller := peers.Caller(stream.Context())
	if !a.watchers.Take(caller, 1) {
		return errs.New(errs.QueueFull, "too many WatchModels calls are open: %d are possible, and fewer for one caller; close one, or raise limits.max_watchers", a.limits.MaxWatchers)
	}
	defer a.watchers.GiveBack(caller, 1)
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	models, err := a.models.Models(ctx)
	if err != nil {
		return err
	}
	shown := map[string]bool{} // which models serve which tasks does not change
	for _, m := range visible(ctx, models) {
		shown[m.GetName()] = true
	}
	if name := req.GetName(); name != "" {
		if _, err := a.seen(ctx, name); err != nil {
			return err
		}
	}
	events, err := a.models.Watch(ctx, req.GetName())
	if err != nil {
		return err
	}
	for event := range events {
		if !shown[event.GetName()] {
			continue
		}
		if err := a.sendWithin(func() error { return stream.Send(event) }); err != nil {
			return err
		}
	}
	return stream.Context().Err()
}

// sendWithin sends a message, and returns before it is sent if the client does
// not read it in time. The end of the call ends send then.
func (a *Admin) sendWithin(send func() error) error {
	timeout := a.limits.SlowReaderTimeout
	if timeout == 0 {
		return send()
	}
	sent := make(chan error, 1)
	go func() { sent <- send() }()
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case err := <-sent:
		return err
	case <-timer.C:
		return errs.New(errs.DeadlineExceeded, "the client read nothing for %s", timeout)
	}
}
