package api

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"

	"google.golang.org/protobuf/proto"

	"github.com/lexilingo/modelgateway/engines/errs"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/router"
	"github.com/lexilingo/modelgateway/server/internal/speechout"
)

// Synthesize implements gatewayv1.ModelGatewayServiceServer.
func (s *Inference) Synthesize(req *gatewayv1.SynthesizeRequest, stream gatewayv1.ModelGatewayService_SynthesizeServer) error {
	if err := s.encoder.Check(req.GetOutput()); err != nil {
		return err
	}
	out := s.output(stream.Context(), req)
	defer out.close()
	var sending sync.Mutex
	send := func(piece *gatewayv1.SynthesizeResponse) error {
		sending.Lock()
		defer sending.Unlock()
		return stream.Send(piece)
	}
	words := s.newAligner(stream.Context(), req, func(words []*gatewayv1.SpokenWord) error {
		return send(&gatewayv1.SynthesizeResponse{Words: words})
	})
	defer words.stop()
	sink := &streamRelay[*gatewayv1.SynthesizeResponse]{
		pick: func(r *enginev1.RunResponse) (*gatewayv1.SynthesizeResponse, bool, bool) {
			return r.GetSynthesize(), false, r.GetSynthesize() != nil
		},
		send: func(piece *gatewayv1.SynthesizeResponse) error {
			words.take(piece)
			if err := out.encode(piece); err != nil {
				return err
			}
			return send(piece)
		},
	}
	run := synthesis(req)
	run.Room = words.room
	served, err := s.router.Run(stream.Context(), run, sink)
	if err != nil {
		return err
	}
	last := &gatewayv1.SynthesizeResponse{ServedBy: served}
	if last.Audio, err = out.end(); err != nil {
		return err
	}
	warn(served, words.finish())
	return send(last)
}

// warn adds a warning to those of an answer.
func warn(served *gatewayv1.ServedBy, warning string) {
	served.Warning = strings.TrimSpace(served.GetWarning() + " " + warning)
}

// SynthesizeWhole returns all of the speech in one message. Nothing reaches the
// caller before the end, so another model can take over at any time.
func (s *Inference) SynthesizeWhole(ctx context.Context, req *gatewayv1.SynthesizeRequest) (*gatewayv1.SynthesizeResponse, error) {
	if err := s.encoder.Check(req.GetOutput()); err != nil {
		return nil, err
	}
	sink := &speechCollector{}
	served, err := s.router.Run(ctx, synthesis(req), sink)
	if err != nil {
		return nil, err
	}
	resp := sink.whole()
	if !req.GetAlignWords() {
		sink.pieces = nil // only the alignment needs them
	}
	if resp.GetSampleRateHertz() <= 0 {
		return nil, errs.New(errs.Internal, "the engine sent speech without its sample rate")
	}
	out := s.output(ctx, req)
	defer out.close()
	if err := out.encode(resp); err != nil {
		return nil, err
	}
	rest, err := out.end()
	if err != nil {
		return nil, err
	}
	resp.Audio = append(resp.Audio, rest...)
	words := s.newAligner(ctx, req, func(words []*gatewayv1.SpokenWord) error {
		resp.Words = append(resp.Words, words...)
		return nil
	})
	defer words.stop()
	words.takeAll(sink.pieces)
	resp.ServedBy = served
	warn(served, words.finish())
	// A voice may have timed the words of some sentences.
	slices.SortStableFunc(resp.Words, func(a, b *gatewayv1.SpokenWord) int {
		return cmp.Compare(a.GetStart().AsDuration(), b.GetStart().AsDuration())
	})
	return resp, nil
}

// synthesis is the request for samples. To encode them and to align their words is the
// server's work.
func synthesis(req *gatewayv1.SynthesizeRequest) router.Request {
	if req.GetOutput() != nil || req.GetAlignWords() {
		req = proto.CloneOf(req)
		req.Output, req.AlignWords = nil, false
	}
	return request(req, &enginev1.RunRequest{Payload: &enginev1.RunRequest_Synthesize{Synthesize: req}})
}

// speechOutput encodes the speech of one answer.
type speechOutput struct {
	ctx     context.Context
	encoder speechout.Encoder
	output  *gatewayv1.SpeechOutput // nil: the samples of the engine
	stream  *speechout.Stream
}

func (s *Inference) output(ctx context.Context, req *gatewayv1.SynthesizeRequest) *speechOutput {
	return &speechOutput{ctx: ctx, encoder: s.encoder, output: req.GetOutput()}
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
		if o.stream, err = o.encoder.NewStream(o.ctx, o.output, int(piece.GetSampleRateHertz())); err != nil {
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
