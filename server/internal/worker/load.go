package worker

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/lexilingo/modelgateway/engines"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
)

// load loads a worker's model. Whenever more of it is loaded, it adds to steps and
// calls progress.
func load(
	ctx context.Context, engine enginev1.EngineClient, req *enginev1.LoadRequest, fails *failures,
	steps *atomic.Uint64, progress func(fraction float64),
) (*enginev1.LoadResponse, error) {
	var loaded float64
	resp, err := engines.AwaitLoad(ctx, engine, req, func(resp *enginev1.LoadResponse) {
		if fraction := float64(resp.GetProgress()); fraction > loaded {
			loaded = fraction
			steps.Add(1)
			progress(min(fraction, 1))
		}
	})
	switch {
	case errors.Is(err, engines.ErrNoModel):
		return nil, fails.broken(ctx, err)
	case err != nil:
		return nil, fails.explain(ctx, err)
	}
	return resp, nil
}
