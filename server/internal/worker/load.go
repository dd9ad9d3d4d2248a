package worker

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"

	"github.com/lexilingo/modelgateway/engines"
	"github.com/lexilingo/modelgateway/engines/errs"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
)

// load loads a worker's model. Whenever more of it is loaded, it adds to steps and
// calls progress.
func load(
	ctx context.Context, engine enginev1.EngineClient, req *enginev1.LoadRequest, fails *failures, log *slog.Logger,
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
	case ctx.Err() == nil && answered(err) && errs.ReasonOf(err) != errs.Draining:
		log.Warn("the engine refused the model", "path", req.GetPath(), "error", err)
		return nil, refusal(fails, err)
	case err != nil:
		return nil, fails.explain(ctx, err)
	}
	return resp, nil
}

// refusal returns the error of a load that the engine refused, as the callers who wait
// for the model get it. No caller has a part in a load: what blames a caller is a fault
// of the configuration.
func refusal(fails *failures, err error) error {
	e := errs.From(err)
	switch e.Reason() {
	case errs.InvalidRequest, errs.ConfigNotFirst, errs.AudioUnreadable, errs.ModelNotFound, errs.TaskUnknown,
		errs.Unauthenticated, errs.Forbidden:
		wrong := errs.New(errs.ModelConfigInvalid, "the server's configuration of model %q is wrong: %s", fails.model, e.Message()).WithCause(err)
		for key, value := range e.Metadata() {
			wrong = wrong.With(key, value)
		}
		e = wrong
	}
	return e.Rewrite(func(text string) string { return hideAllPaths(fails.hide(text)) })
}
