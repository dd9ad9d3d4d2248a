package api

import (
	"context"

	"github.com/lexilingo/modelgateway/engines/errs"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
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

// transcript runs a transcription and returns the final transcript.
func (s *Inference) transcript(ctx context.Context, cfg *gatewayv1.TranscriptionConfig, audio router.Audio) (*gatewayv1.Transcript, *gatewayv1.ServedBy, error) {
	if cfg.GetResumeFrom() != nil {
		return nil, nil, errs.New(errs.InvalidRequest, "resume_from is for StreamTranscribe and OpenTranscription, which send events with offsets: leave it out here")
	}
	sink := &transcriptCollector{}
	served, err := s.router.Run(ctx, transcription(cfg, audio), sink)
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
	progress, cfg, err := newProgress(cfg)
	if err != nil {
		return err
	}
	audio.progress = progress
	sink := &streamRelay[*gatewayv1.StreamTranscribeResponse]{
		pick: func(r *enginev1.RunResponse) (*gatewayv1.StreamTranscribeResponse, bool, bool) {
			event := r.GetTranscribe()
			if event != nil {
				event = progress.stamp(event)
			}
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
	req := request(cfg, &enginev1.RunRequest{Payload: &enginev1.RunRequest_Transcribe{Transcribe: cfg}})
	req.Audio = audio
	return req
}

// Pronunciation implements gatewayv1.ModelGatewayServiceServer.
func (s *Inference) Pronunciation(ctx context.Context, req *gatewayv1.PronunciationRequest) (*gatewayv1.PronunciationResponse, error) {
	first := &enginev1.RunRequest{Payload: &enginev1.RunRequest_Pronunciation{Pronunciation: req}}
	resp, served, err := ask(ctx, s.router, request(req, first), (*enginev1.RunResponse).GetPronunciation)
	if err != nil {
		return nil, err
	}
	resp.ServedBy = served
	return resp, nil
}
