package api

import (
	"context"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/auth"
	"github.com/lexilingo/modelgateway/server/internal/router"
)

// authorized is a Router that runs only requests that their caller may make. All
// requests for models pass it, typed or not.
type authorized struct {
	Router
	denied func(*auth.Caller, error) error // tells who counts; see auth.Authorizer.Denied
}

// Run implements Router.
func (a authorized) Run(ctx context.Context, req router.Request, sink router.Sink) (*gatewayv1.ServedBy, error) {
	caller := auth.CallerOf(ctx)
	if err := caller.CheckTask(req.Task, req.Routing.GetPriority()); err != nil {
		return nil, a.denied(caller, err)
	}
	req.Caller, req.MaxPriority, req.Weight = caller.Name, caller.MaxPriority(), caller.Weight
	req.MayUse = func(model string, cloud bool) *errs.Error {
		if err := caller.CheckModel(model); err != nil {
			return errs.From(err)
		}
		if cloud {
			if err := caller.CheckCloud(model); err != nil {
				return errs.From(err)
			}
		}
		return nil
	}
	return a.Router.Run(ctx, req, sink)
}
