package api

import (
	"context"

	"google.golang.org/protobuf/proto"

	"github.com/lexilingo/modelgateway/engines/errs"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/router"
	"github.com/lexilingo/modelgateway/server/internal/speechout"
)

// Synthesize implements gatewayv1.ModelGatewayServiceServer.
func (s *Inference) Synthesize(req *gatewayv1.SynthesizeRequest, stream gatewayv1.ModelGatewayService_SynthesizeServer) error {
	if err := speechout.Check(req.GetOutput(), s.encodeSpeech); err != nil {
		return err
	}
	out := s.output(stream.Context(), req)
	defer out.close()
	sink := &streamRelay[*gatewayv1.SynthesizeResponse]{
		pick: func(r *enginev1.RunResponse) (*gatewayv1.SynthesizeResponse, bool, bool) {
			return r.GetSynthesize(), false, r.GetSynthesize() != nil
		},
		send: func(piece *gatewayv1.SynthesizeResponse) error {
			if err := out.encode(piece); err != nil {
				return err
			}
			return stream.Send(piece)
		},
	}
	served, err := s.router.Run(stream.Context(), synthesis(req), sink)
	if err != nil {
		return err
	}
	last := &gatewayv1.SynthesizeResponse{ServedBy: served}
	if last.Audio, err = out.end(); err != nil {
		return err
	}
	return stream.Send(last)
}

// SynthesizeWhole returns all of the speech in one message. Nothing reaches the
// caller before the end, so another model can take over at any time.
func (s *Inference) SynthesizeWhole(ctx context.Context, req *gatewayv1.SynthesizeRequest) (*gatewayv1.SynthesizeResponse, error) {
	if err := speechout.Check(req.GetOutput(), s.encodeSpeech); err != nil {
		return nil, err
	}
	sink := &speechCollector{}
	served, err := s.router.Run(ctx, synthesis(req), sink)
	if err != nil {
		return nil, err
	}
	if sink.sampleRate <= 0 {
		return nil, errs.New(errs.Internal, "the engine sent speech without its sample rate")
	}
	resp := &gatewayv1.SynthesizeResponse{Audio: sink.samples, SampleRateHertz: sink.sampleRate, ServedBy: served}
	out := s.output(ctx, req)
	defer out.close()
	if err := out.encode(resp); err != nil {
		return nil, err
	}
	rest, err := out.end()
	resp.Audio = append(resp.Audio, rest...)
	return resp, err
}

// synthesis is the request for samples. How they are encoded is the server's work.
func synthesis(req *gatewayv1.SynthesizeRequest) router.Request {
	if req.GetOutput() != nil {
		req = proto.CloneOf(req)
		req.Output = nil
	}
	return request(req, &enginev1.RunRequest{Payload: &enginev1.RunRequest_Synthesize{Synthesize: req}})
}

// speechOutput encodes the speech of one answer.
type speechOutput struct {
	ctx     context.Context
	program string
	output  *gatewayv1.SpeechOutput // nil: the samples of the engine
	stream  *speechout.Stream
}

func (s *Inference) output(ctx context.Context, req *gatewayv1.SynthesizeRequest) *speechOutput {
	return &speechOutput{ctx: ctx, program: s.encodeSpeech, output: req.GetOutput()}
}

// encode replaces the samples of a piece by what they become.
func (o *speechOutput) encode(piece *gatewayv1.SynthesizeResponse) error {
	if o.output == nil {
		return nil
	}
	var err error
	if o.stream == nil {
		if piece.GetSampleRateHertz() <= 0 {
			return errs.New(errs.Internal, "the engine sent speech without its sample rate")
		}
		if o.stream, err = speechout.NewStream(o.ctx, o.program, o.output, int(piece.GetSampleRateHertz())); err != nil {
			return err
		}
		piece.SampleRateHertz = int32(o.stream.Rate()) //nolint:gosec // at most 48,000, or the engine's
	}
	piece.Audio, err = o.stream.Add(piece.GetAudio())
	return err
}

// end returns the rest of the output.
func (o *speechOutput) end() ([]byte, error) {
	if o.stream == nil {
		return nil, nil
	}
	return o.stream.End()
}

func (o *speechOutput) close() {
	if o.stream != nil {
		o.stream.Close()
	}
}
