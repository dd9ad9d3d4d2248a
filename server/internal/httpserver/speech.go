package httpserver

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"github.com/munnerz/goautoneg"
	"golang.org/x/sync/semaphore"
	"google.golang.org/protobuf/proto"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// The paths of speech.
const (
	transcribePath    = "/v1/transcribe"
	pronunciationPath = "/v1/pronunciation"
	synthesizePath    = "/v1/synthesize"
)

// Media types of answers.
const (
	mediaJSON  = "application/json"
	mediaLines = "application/x-ndjson"
	mediaText  = "text/plain"
)

// uploadPiece is how much of a recording goes into one message, in bytes.
const uploadPiece = 64 << 10

// speech serves what JSON is not: audio as a body or as a file of a form, sound
// as an answer, and both over WebSockets. JSON goes on to grpc-gateway.
type speech struct {
	client  gatewayv1.ModelGatewayServiceClient
	mux     *runtime.ServeMux
	codec   *runtime.JSONPb
	json    http.Handler
	sockets *sockets
	sounds  *semaphore.Weighted // bytes of sound that wait to be whole
	// patience is how long a caller may take to read one piece; 0 is for ever.
	patience time.Duration
}

// newSpeech makes the handlers; json serves the same paths in JSON.
func newSpeech(opts Options, mux *runtime.ServeMux, json http.Handler, sockets *sockets) *speech {
	return &speech{
		client: gatewayv1.NewModelGatewayServiceClient(opts.Conn), mux: mux, codec: restCodec(), json: json, sockets: sockets,
		sounds: semaphore.NewWeighted(allSounds), patience: opts.Limits.SlowReaderTimeout,
	}
}

// register adds the handlers to a mux. Other methods of the paths are json's.
func (s *speech) register(mux *http.ServeMux) {
	mux.HandleFunc("POST "+transcribePath, s.transcribe)
	mux.HandleFunc("POST "+pronunciationPath, s.pronounce)
	mux.HandleFunc("POST "+synthesizePath, s.synthesize)
	handleGet(mux, transcribePath+"/ws", http.HandlerFunc(s.transcribeSocket))
	handleGet(mux, synthesizePath+"/ws", http.HandlerFunc(s.synthesizeSocket))
}

// fail answers with an error.
func fail(w http.ResponseWriter, r *http.Request, err error) {
	writeError(r.Context(), nil, nil, w, r, err)
}

// call returns the context of an RPC: with the deadline and the trace of the
// request's headers.
func (s *speech) call(r *http.Request, method string) (context.Context, error) {
	ctx, err := runtime.AnnotateContext(r.Context(), s.mux, r, "/"+gatewayv1.ModelGatewayService_ServiceDesc.ServiceName+"/"+method)
	if err != nil {
		return nil, errs.From(err)
	}
	return ctx, nil
}

// accepted picks the first of offers that suits the request best; the first of
// all if it says nothing, or nothing that is offered.
func accepted(r *http.Request, offers ...string) string {
	accept := strings.ToLower(strings.Join(r.Header.Values("Accept"), ","))
	if best := goautoneg.Negotiate(accept, offers); best != "" {
		return best
	}
	return offers[0]
}

// isJSON tells whether a body is JSON. What is not declared is looked at: curl
// calls everything a form, or nothing.
func isJSON(r *http.Request) bool {
	form, _ := formOf(r)
	if form != formUndeclared {
		return form == formJSON
	}
	if r.URL.Query().Has("encoding") {
		return false // raw samples may begin like anything
	}
	ahead := bufio.NewReader(r.Body)
	r.Body = struct {
		io.Reader
		io.Closer
	}{ahead, r.Body}
	for {
		c, err := ahead.ReadByte()
		if err != nil {
			return true // the body is empty, or broken: JSON's reader tells
		}
		if !strings.ContainsRune(" \t\r\n", rune(c)) {
			_ = ahead.UnreadByte() // follows a read
			if c == '{' {
				r.Header.Set("Content-Type", mediaJSON)
			}
			return c == '{'
		}
	}
}

// transcribe serves /v1/transcribe.
func (s *speech) transcribe(w http.ResponseWriter, r *http.Request) {
	media := accepted(r, mediaJSON, mediaText)
	json := isJSON(r)
	if json && media == mediaJSON {
		s.json.ServeHTTP(w, r)
		return
	}
	resp, err := s.transcript(r, json)
	switch {
	case err != nil:
		fail(w, r, err)
	case media == mediaText:
		tellServedBy(w.Header(), resp.GetServedBy())
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		text := resp.GetTranscript().GetText() + "\n"
		w.Header().Set("Content-Length", strconv.Itoa(len(text)))
		_, _ = io.WriteString(w, text) // the caller has left if this fails
	default:
		s.tell(w, r, resp)
	}
}

// transcript transcribes a request's body.
func (s *speech) transcript(r *http.Request, json bool) (*gatewayv1.TranscribeResponse, error) {
	ctx, err := s.call(r, "Transcribe")
	if err != nil {
		return nil, err
	}
	if json {
		req := &gatewayv1.RecognizeRequest{}
		if err := s.decode(r, req); err != nil {
			return nil, err
		}
		resp, err := s.client.Recognize(ctx, req)
		return &gatewayv1.TranscribeResponse{Transcript: resp.GetTranscript(), ServedBy: resp.GetServedBy()}, err
	}
	up, err := openUpload(r, aheadOf(r))
	if err != nil {
		return nil, err
	}
	cfg := &gatewayv1.TranscriptionConfig{}
	if err := fillOptions(cfg, up.options, transcriptionOption); err != nil {
		return nil, err
	}
	abandon := func() {}
	if b, ok := r.Context().Value(bodyKey{}).(*pacedBody); ok {
		abandon = b.abandon
	}
	return s.relay(ctx, cfg, up.audio, abandon)
}

// relay transcribes audio while it comes. An answer may come before its end, and
// does not wait for who reads it then; abandon says that no more is needed.
func (s *speech) relay(ctx context.Context, cfg *gatewayv1.TranscriptionConfig, audio io.Reader, abandon func()) (*gatewayv1.TranscribeResponse, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := s.client.Transcribe(ctx)
	if err != nil {
		return nil, err
	}
	pumped := make(chan error, 1)
	go func() {
		err := pump(stream, cfg, audio)
		pumped <- err
		if err != nil {
			cancel()
		}
	}()
	resp := &gatewayv1.TranscribeResponse{}
	err = stream.RecvMsg(resp)
	abandon()
	if err != nil && errors.Is(ctx.Err(), context.Canceled) {
		// For the body, by pump or by net/http, which both are at its end.
		if unreadable := <-pumped; unreadable != nil {
			err = unreadable
		}
	}
	return resp, err
}

// pump sends a config and the audio behind it, and asks for the result. It
// returns only what went wrong with the audio: the call tells of itself.
func pump(stream gatewayv1.ModelGatewayService_TranscribeClient, cfg *gatewayv1.TranscriptionConfig, audio io.Reader) error {
	msg := &gatewayv1.TranscribeRequest{Payload: &gatewayv1.TranscribeRequest_Config{Config: cfg}}
	for {
		if stream.Send(msg) != nil {
			return nil
		}
		// A message that has been sent is gRPC's: each gets its own bytes.
		buf := make([]byte, uploadPiece)
		n, err := audio.Read(buf)
		for n == 0 && err == nil {
			n, err = audio.Read(buf)
		}
		switch {
		case n > 0:
			msg = &gatewayv1.TranscribeRequest{Payload: &gatewayv1.TranscribeRequest_Audio{Audio: buf[:n]}}
		case errors.Is(err, io.EOF):
			_ = stream.CloseSend() // the call tells
			return nil
		case errors.Is(err, errAbandoned):
			return nil
		default:
			return bodyError(err)
		}
	}
}

// pronounce serves /v1/pronunciation.
func (s *speech) pronounce(w http.ResponseWriter, r *http.Request) {
	if isJSON(r) {
		s.json.ServeHTTP(w, r)
		return
	}
	resp, err := s.score(r)
	if err != nil {
		fail(w, r, err)
		return
	}
	s.tell(w, r, resp)
}

// score scores the recording in a request's body, which is held as a whole: the
// alignment needs all of it.
func (s *speech) score(r *http.Request) (*gatewayv1.PronunciationResponse, error) {
	ctx, err := s.call(r, "Pronunciation")
	if err != nil {
		return nil, err
	}
	up, err := openUpload(r, math.MaxInt64)
	if err != nil {
		return nil, err
	}
	req := &gatewayv1.PronunciationRequest{}
	if err := fillOptions(req, up.options, pronunciationOption); err != nil {
		return nil, err
	}
	if req.Audio, err = io.ReadAll(up.audio); err != nil {
		return nil, bodyError(err)
	}
	return s.client.Pronunciation(ctx, req)
}

// decode reads a JSON body.
func (s *speech) decode(r *http.Request, msg proto.Message) error {
	err := wholeJSON{s.codec}.NewDecoder(r.Body).Decode(msg)
	if err == nil || errors.Is(err, io.EOF) {
		return nil
	}
	return bodyError(err)
}

// tell answers with a message in JSON.
func (s *speech) tell(w http.ResponseWriter, r *http.Request, msg proto.Message) {
	text, err := s.codec.Marshal(msg)
	if err != nil {
		fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", mediaJSON)
	w.Header().Set("Content-Length", strconv.Itoa(len(text))) // complete before the body's rest is taken
	_, _ = w.Write(text)                                      // the caller has left if this fails
}

// headers that tell what served_by tells in JSON.
const (
	headerModel    = "X-Modelgateway-Model"
	headerEngine   = "X-Modelgateway-Engine"
	headerFallback = "X-Modelgateway-Fallback"
	headerTiming   = "Server-Timing"
)

// tellServedBy writes who answered into headers, or trailers.
func tellServedBy(header http.Header, served *gatewayv1.ServedBy) {
	header.Set(headerModel, mime.QEncoding.Encode("utf-8", served.GetModel()))
	header.Set(headerEngine, mime.QEncoding.Encode("utf-8", served.GetEngine()))
	if served.GetFallback() {
		header.Set(headerFallback, strings.TrimPrefix(served.GetFallbackReason().String(), "FALLBACK_REASON_"))
	}
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	header.Set(headerTiming, fmt.Sprintf("queue;dur=%.1f, load;dur=%.1f, inference;dur=%.1f", ms(served.GetQueueDuration().AsDuration()),
		ms(served.GetLoadDuration().AsDuration()), ms(served.GetInferenceDuration().AsDuration())))
}
