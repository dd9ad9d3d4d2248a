package speech

import (
	"math"
	"net/http"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/bodies"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/reply"
	"github.com/lexilingo/modelgateway/server/internal/inflight"
)

// Pronounce serves POST of PronunciationPath.
func (h *Handlers) Pronounce(w http.ResponseWriter, r *http.Request) {
	if isJSON(r) {
		h.api.ServeHTTP(w, r)
		return
	}
	if reply.Negotiate(r, reply.JSON) == "" {
		reply.NotAcceptable(w, r, reply.JSON)
		return
	}
	resp, err := h.score(r)
	if err != nil {
		reply.Error(w, err)
		return
	}
	h.api.Answer(w, resp)
}

// score scores the recording in a body. It reads all of it first: the alignment
// needs the whole recording.
func (h *Handlers) score(r *http.Request) (*gatewayv1.PronunciationResponse, error) {
	ctx, err := h.api.CallContext(r, gatewayv1.ModelGatewayService_Pronunciation_FullMethodName)
	if err != nil {
		return nil, err
	}
	up, err := OpenUpload(r, math.MaxInt64)
	if err != nil {
		return nil, err
	}
	req := &gatewayv1.PronunciationRequest{}
	if err := fillOptions(req, up.Options, pronunciationField); err != nil {
		return nil, err
	}
	var recording inflight.Pieces
	if err := recording.Fill(up.Audio); err != nil {
		return nil, bodies.ReadError(err)
	}
	req.Audio = recording.Bytes()
	return h.client.Pronunciation(ctx, req)
}
