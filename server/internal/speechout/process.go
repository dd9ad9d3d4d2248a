package speechout

import (
	"context"

	"github.com/lexilingo/modelgateway/engines/encode"
	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/engines/helper"
)

// Encoder is the program that encodes.
type Encoder struct {
	// Path is the program.
	Path string
}

// process is a running encode-speech.
type process struct{ *helper.Process }

// start starts the program. It ends with ctx.
func (e Encoder) start(ctx context.Context, settings encode.Settings) (*process, error) {
	p, err := helper.Start(ctx, helper.Options{Path: e.Path, Args: settings.Args(), OwnGroup: true})
	if err != nil {
		return nil, errs.New(errs.EngineUnavailable, "the program %s does not start: %s", Program, errs.WithoutPath(err)).WithCause(err)
	}
	return &process{p}, nil
}

// exchange sends samples, or with none the end, and returns what they became.
func (p *process) exchange(pcm []byte) ([]byte, error) {
	encoded, err := p.Exchange(pcm)
	if err != nil {
		return nil, errs.New(errs.EngineUnavailable, "the speech could not be encoded: %s", err).WithCause(err)
	}
	return encoded, nil
}
