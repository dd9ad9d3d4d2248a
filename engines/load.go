package engines

import (
	"context"
	"errors"
	"io"

	"github.com/lexilingo/modelgateway/engines/errs"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
)

// ErrNoModel is in the chain of AwaitLoad's error if the engine ended the load without
// a model and without an error.
var ErrNoModel = errors.New("the stream ended before the model was ready")

// AwaitLoad loads a model through an engine's client and returns the message that
// says that it is ready. It calls onProgress, which may be nil, with every message,
// the last one included. It is for programs that host workers.
func AwaitLoad(ctx context.Context, client enginev1.EngineClient, req *enginev1.LoadRequest, onProgress func(*enginev1.LoadResponse)) (*enginev1.LoadResponse, error) {
	ctx, cancel := context.WithCancel(ctx) // ends the stream after the ready message
	defer cancel()
	stream, err := client.Load(ctx, req)
	if err != nil {
		return nil, err
	}
	for {
		resp, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil, errs.New(errs.Internal, "the engine of model %q ended its load without a model", req.GetModelName()).WithCause(ErrNoModel)
		}
		if err != nil {
			return nil, err
		}
		if onProgress != nil {
			onProgress(resp)
		}
		if resp.GetReady() {
			return resp, nil
		}
	}
}
