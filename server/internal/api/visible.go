package api

import (
	"context"
	"slices"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/auth"
)

// visible returns the models that a caller may see: those that it may use for one of its
// tasks.
func visible(ctx context.Context, models []*gatewayv1.Model) []*gatewayv1.Model {
	caller := auth.CallerOf(ctx)
	return slices.DeleteFunc(models, func(m *gatewayv1.Model) bool { return caller.CheckSees(m.GetName(), m.GetTasks()) != nil })
}
