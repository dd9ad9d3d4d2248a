package speech

import (
	"io"
	"net/http"
	"strconv"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/bodies"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/reply"
	"github.com/lexilingo/modelgateway/server/internal/transcripts"
)

// Transcribe serves POST of TranscribePath.
func (h *Handlers) Transcribe(w http.ResponseWriter, r *http.Request) {
	media := reply.Negotiate(r, transcriptTypes...)
	if media == "" {
		reply.NotAcceptable(w, r, transcriptTypes...)
		return
	}
	json := isJSON(r)
	if json && media == reply.JSON {
		h.api.ServeHTTP(w, r)
		return
	}
	resp, err := h.transcript(w, r, json)
	write := writers[media]
	switch {
	case err != nil:
		reply.Error(w, err)
	case write != nil:
		SetServedBy(w.Header(), resp.GetServedBy())
		WriteText(w, media, write(resp.GetTranscript()))
	default:
		h.api.Answer(w, resp)
	}
}

// The media types of transcripts that are not JSON.
const (
	textType = "text/plain"
	srtType  = "application/x-subrip"
	vttType  = "text/vtt"
)

// transcriptTypes are the media types of transcripts. The first is the default.
var transcriptTypes = []string{reply.JSON, textType, srtType, vttType}

// writers write transcripts that are not JSON, by media type.
var writers = map[string]func(*gatewayv1.Transcript) string{textType: transcripts.Text, srtType: transcripts.SRT, vttType: transcripts.VTT}

// WriteText answers with a text of a media type.
func WriteText(w http.ResponseWriter, media, text string) {
	w.Header().Set("Content-Type", media+"; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	_, _ = io.WriteString(w, text) // fails only if the client is gone
}

// transcript transcribes the body of a request.
func (h *Handlers) transcript(w http.ResponseWriter, r *http.Request, json bool) (*gatewayv1.TranscribeResponse, error) {
	ctx, err := h.api.CallContext(r, gatewayv1.ModelGatewayService_Transcribe_FullMethodName)
	if err != nil {
		return nil, err
	}
	if json {
		req := &gatewayv1.RecognizeRequest{}
		if err := h.api.Decode(r.Body, req); err != nil {
			return nil, err
		}
		resp, err := h.client.Recognize(ctx, req)
		return &gatewayv1.TranscribeResponse{Transcript: resp.GetTranscript(), ServedBy: resp.GetServedBy()}, err
	}
	form, _ := formOf(r)
	if form == formUndeclared {
		bodies.StreamAudio(w, readAheadOf(form))
	}
	up, err := OpenUpload(r, readAheadOf(form))
	if err != nil {
		return nil, err
	}
	cfg := &gatewayv1.TranscriptionConfig{}
	if err := fillOptions(cfg, up.Options, transcriptionField); err != nil {
		return nil, err
	}
	return h.TranscribeAudio(ctx, cfg, up.Audio, func() { bodies.StopReading(w) })
}
