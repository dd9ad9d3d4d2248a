package api

import (
	"context"
	"errors"
	"io"

	"github.com/lexilingo/modelgateway/engines/errs"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/config"
	"github.com/lexilingo/modelgateway/server/internal/router"
)

// Transcribe implements gatewayv1.ModelGatewayServiceServer.
func (s *Inference) Transcribe(stream gatewayv1.ModelGatewayService_TranscribeServer) error {
	cfg, audio, err := openAudio(stream.Context(), func() (audioMessage, error) { return stream.Recv() })
	if err != nil {
		return err
	}
	transcript, served, err := s.transcript(stream.Context(), cfg, audio)
	if err != nil {
		return err
	}
	return stream.SendAndClose(&gatewayv1.TranscribeResponse{Transcript: transcript, ServedBy: served})
}

// Recognize implements gatewayv1.ModelGatewayServiceServer.
func (s *Inference) Recognize(ctx context.Context, req *gatewayv1.RecognizeRequest) (*gatewayv1.RecognizeResponse, error) {
	cfg := req.GetConfig()
	if cfg == nil {
		cfg = &gatewayv1.TranscriptionConfig{}
	}
	transcript, served, err := s.transcript(ctx, cfg, &clip{data: req.GetAudio()})
	if err != nil {
		return nil, err
	}
	return &gatewayv1.RecognizeResponse{Transcript: transcript, ServedBy: served}, nil
}

// transcript runs a transcription of which only the end matters.
func (s *Inference) transcript(ctx context.Context, cfg *gatewayv1.TranscriptionConfig, audio router.Audio) (*gatewayv1.Transcript, *gatewayv1.ServedBy, error) {
	return s.finalOf(ctx, transcription(cfg, audio))
}

func (s *Inference) finalOf(ctx context.Context, req router.Request) (*gatewayv1.Transcript, *gatewayv1.ServedBy, error) {
	sink := &finalTranscript{}
	served, err := s.router.Run(ctx, req, sink)
	if err != nil {
		return nil, nil, err
	}
	if sink.final == nil {
		return nil, nil, errs.New(errs.Internal, "the engine ended without a transcript")
	}
	return sink.final, served, nil
}

// StreamTranscribe implements gatewayv1.ModelGatewayServiceServer.
func (s *Inference) StreamTranscribe(stream gatewayv1.ModelGatewayService_StreamTranscribeServer) error {
	cfg, audio, err := openAudio(stream.Context(), func() (audioMessage, error) { return stream.Recv() })
	if err != nil {
		return err
	}
	sink := &relayed[*gatewayv1.StreamTranscribeResponse]{
		pick: func(r *enginev1.RunResponse) (*gatewayv1.StreamTranscribeResponse, bool, bool) {
			event := r.GetTranscribe()
			return &gatewayv1.StreamTranscribeResponse{Event: event}, event.GetFinal() != nil, event != nil
		},
		send: stream.Send,
	}
	served, err := s.router.Run(stream.Context(), transcription(cfg, audio), sink)
	if err != nil {
		return err
	}
	return sink.finish(&gatewayv1.StreamTranscribeResponse{}, func(m *gatewayv1.StreamTranscribeResponse) { m.ServedBy = served })
}

func transcription(cfg *gatewayv1.TranscriptionConfig, audio router.Audio) router.Request {
	return router.Request{
		Task: config.TaskTranscribe, Model: cfg.GetModel(), Routing: cfg.GetRouting(),
		First: &enginev1.RunRequest{Payload: &enginev1.RunRequest_Transcribe{Transcribe: cfg}},
		Audio: audio,
	}
}

// Synthesize implements gatewayv1.ModelGatewayServiceServer.
func (s *Inference) Synthesize(req *gatewayv1.SynthesizeRequest, stream gatewayv1.ModelGatewayService_SynthesizeServer) error {
	sink := &relayed[*gatewayv1.SynthesizeResponse]{
		pick: func(r *enginev1.RunResponse) (*gatewayv1.SynthesizeResponse, bool, bool) {
			return r.GetSynthesize(), false, r.GetSynthesize() != nil
		},
		send: stream.Send,
	}
	served, err := s.router.Run(stream.Context(), router.Request{
		Task: config.TaskSynthesize, Model: req.GetModel(), Routing: req.GetRouting(),
		First: &enginev1.RunRequest{Payload: &enginev1.RunRequest_Synthesize{Synthesize: req}},
	}, sink)
	if err != nil {
		return err
	}
	return sink.finish(&gatewayv1.SynthesizeResponse{}, func(m *gatewayv1.SynthesizeResponse) { m.ServedBy = served })
}

// Pronunciation implements gatewayv1.ModelGatewayServiceServer.
func (s *Inference) Pronunciation(ctx context.Context, req *gatewayv1.PronunciationRequest) (*gatewayv1.PronunciationResponse, error) {
	resp, served, err := ask(ctx, s.router, router.Request{
		Task: config.TaskPronunciation, Model: req.GetModel(), Routing: req.GetRouting(),
		First: &enginev1.RunRequest{Payload: &enginev1.RunRequest_Pronunciation{Pronunciation: req}},
	}, (*enginev1.RunResponse).GetPronunciation)
	if err != nil {
		return nil, err
	}
	resp.ServedBy = served
	return resp, nil
}

// finalTranscript is the sink of a transcription of which only the end matters.
type finalTranscript struct{ final *gatewayv1.Transcript }

func (f *finalTranscript) Begin() { f.final = nil }

func (f *finalTranscript) Emit(resp *enginev1.RunResponse) error {
	event := resp.GetTranscribe()
	if event == nil {
		return wrongAnswer()
	}
	if final := event.GetFinal(); final != nil {
		f.final = final
	}
	return nil
}

func (f *finalTranscript) Committed() bool { return false }

// audioMessage is a message of a stream of config and audio.
type audioMessage interface {
	GetConfig() *gatewayv1.TranscriptionConfig
	GetAudio() []byte
}

// openAudio reads the config that begins a stream. The audio that follows is
// read when it is asked for.
func openAudio(ctx context.Context, recv func() (audioMessage, error)) (*gatewayv1.TranscriptionConfig, *liveAudio, error) {
	first, err := recv()
	if errors.Is(err, io.EOF) {
		return nil, nil, errs.New(errs.ConfigNotFirst, "the stream ended before its first message, which carries the config")
	}
	if err != nil {
		return nil, nil, err
	}
	if first.GetConfig() == nil {
		return nil, nil, errs.New(errs.ConfigNotFirst, "the first message must carry the config, the later ones audio")
	}
	return first.GetConfig(), newLiveAudio(ctx, recv), nil
}

// liveAudio is audio that arrives while it is used, and is gone afterwards.
type liveAudio struct {
	pieces chan livePiece
	start  func()
	read   bool
}

type livePiece struct {
	data []byte
	err  error
}

// newLiveAudio reads from a caller's stream. ctx is the stream's: the reading
// goroutine ends with it, as it cannot be woken before.
func newLiveAudio(ctx context.Context, recv func() (audioMessage, error)) *liveAudio {
	a := &liveAudio{pieces: make(chan livePiece)}
	a.start = func() {
		go func() {
			for {
				piece := nextPiece(recv)
				select {
				case a.pieces <- piece:
				case <-ctx.Done():
					return
				}
				if piece.err != nil {
					return
				}
			}
		}()
	}
	return a
}

func nextPiece(recv func() (audioMessage, error)) livePiece {
	msg, err := recv()
	if err != nil {
		return livePiece{err: err}
	}
	if msg.GetConfig() != nil {
		return livePiece{err: errs.New(errs.InvalidRequest, "only the first message carries a config")}
	}
	return livePiece{data: msg.GetAudio()}
}

// Next implements router.Audio.
func (a *liveAudio) Next(ctx context.Context) ([]byte, error) {
	if !a.read {
		a.read = true
		a.start()
	}
	select {
	case piece := <-a.pieces:
		return piece.data, piece.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// clipPiece is how much of a clip goes into one message.
const clipPiece = 1 << 20

// clip is audio that is there as a whole.
type clip struct {
	data []byte
	sent int
}

var _ router.Rewinder = (*clip)(nil)

// Next implements router.Audio.
func (c *clip) Next(context.Context) ([]byte, error) {
	if c.sent == len(c.data) {
		return nil, io.EOF
	}
	piece := c.data[c.sent:min(c.sent+clipPiece, len(c.data))]
	c.sent += len(piece)
	return piece, nil
}

// Rewind implements router.Rewinder.
func (c *clip) Rewind() { c.sent = 0 }
