package worker

import (
	"context"
	"errors"
	"io"
	"sync/atomic"

	"github.com/lexilingo/modelgateway/engines/errs"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
)

// load has an engine load its model. It reports the fraction that is done and
// counts in steps how often that grew: engines need not count the work of a load.
func load(ctx context.Context, engine enginev1.EngineClient, req *enginev1.LoadRequest, fails *failures,
	steps *atomic.Uint64, progress func(fraction float64)) (*enginev1.LoadResponse, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := engine.Load(ctx, req)
	if err != nil {
		return nil, fails.explain(ctx, err)
	}
	var best float64
	for {
		resp, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil, fails.broken(ctx, errs.New(errs.Internal, "the engine of model %q ended its load without a model", fails.model))
		}
		if err != nil {
			return nil, fails.explain(ctx, err)
		}
		if f := float64(resp.GetProgress()); f > best {
			best = f
			steps.Add(1)
			progress(min(f, 1))
		}
		if resp.GetReady() {
			return resp, nil
		}
	}
}
