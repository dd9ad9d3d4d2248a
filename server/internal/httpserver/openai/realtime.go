package openai

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/gorilla/websocket"

	"github.com/lexilingo/modelgateway/engines/errs"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/reply"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/sockets"
	"github.com/lexilingo/modelgateway/server/internal/inflight"
)

const (
	// maxWaitingBytes bounds the audio of a socket that waits for its transcription:
	// about three minutes. Beyond it, the socket is not read.
	maxWaitingBytes = 8 << 20
	// maxEventBytes bounds an event of a client, as in OpenAI's API.
	maxEventBytes = 15 << 20
	// eventCopies is how often an event is in memory: as a message, its audio as text
	// and as bytes, of three quarters of its size, and in G.711 also as samples, of
	// twice as many bytes.
	eventCopies = 5
)

// realtime transcribes the speech that comes over one WebSocket. One goroutine, run,
// reads the client's events and finds turns; another one, transcribeTurns, transcribes
// one turn after the other.
type realtime struct {
	h       *Handlers
	socket  *sockets.Socket
	ctx     context.Context // ends with run
	old     bool            // the older form of the API
	modelOf func(name string) (string, error)

	session realtimeSession
	buffer  audioBuffer
	item    string // the last one that was committed
	parts   *inflight.Ahead[turnPart]
	memory  *inflight.Reservation // of the buffer's unspoken

	sending sync.Mutex // only one goroutine may send

	mu    sync.Mutex
	turns int // that have begun and are not transcribed
}

// Realtime serves GET of realtime, for transcriptions.
func (h *Handlers) Realtime(w http.ResponseWriter, r *http.Request) {
	modelOf := func(name string) (string, error) { return h.transcriptionModel(r, name) }
	session, err := sessionOf(r, modelOf)
	if err != nil {
		reply.OpenAIError(w, err)
		return
	}
	ctx, err := h.opts.API.CallContext(r, gatewayv1.ModelGatewayService_StreamTranscribe_FullMethodName)
	if err != nil {
		reply.OpenAIError(w, err)
		return
	}
	old := strings.Contains(r.Header.Get("OpenAI-Beta"), "realtime=v1") || slices.Contains(websocket.Subprotocols(r), "openai-beta.realtime-v1")
	form := sockets.Form{Error: realtimeError, MaxBytes: maxEventBytes, Copies: eventCopies}
	h.opts.Sockets.Serve(ctx, w, r, form, func(c *sockets.Socket) error {
		s := &realtime{h: h, socket: c, old: old, modelOf: modelOf, session: session, parts: sockets.Ahead[turnPart](c, maxWaitingBytes), memory: c.Spare()}
		s.buffer.configure(&s.session)
		return s.serve()
	})
}

// sessionOf returns the session that a request begins with.
func sessionOf(r *http.Request, modelOf func(string) (string, error)) (realtimeSession, error) {
	query := r.URL.Query()
	if intent := query.Get("intent"); intent != "" && intent != "transcription" {
		return realtimeSession{}, invalid("intent", "the intent %q is not supported; use transcription", intent)
	}
	if query.Has("call_id") {
		return realtimeSession{}, invalid("call_id", "call_id is not supported: leave it out")
	}
	s := newRealtimeSession()
	s.transcription.Model = strings.ToValidUTF8(query.Get("model"), "\uFFFD")
	return s.updated(&sessionUpdate{}, modelOf)
}

// transcriptionModel returns the model that a name stands for, if the caller may use it.
func (h *Handlers) transcriptionModel(r *http.Request, name string) (string, error) {
	model, err := h.resolve(name, enginev1.Task_TASK_TRANSCRIBE)
	if err != nil || model == "" {
		return model, err
	}
	models, err := h.models(r)
	if err == nil && !slices.ContainsFunc(models, func(m Model) bool { return m.ID == model }) {
		err = unknownModel(name)
	}
	return model, err
}

// serve runs a session until its socket ends.
func (s *realtime) serve() error {
	ctx, cancel := context.WithCancel(s.socket.Context())
	s.ctx = ctx
	var transcriber sync.WaitGroup
	transcriber.Go(s.transcribeTurns)
	err := s.run()
	cancel()
	s.parts.Close()
	s.memory.Release()
	transcriber.Wait()
	return err
}

// clientEvent is an event that a client sends.
type clientEvent struct {
	Type    string        `json:"type"`
	EventID string        `json:"event_id"`
	Audio   string        `json:"audio"`
	Session sessionUpdate `json:"session"`
}

// run handles the events of the client.
func (s *realtime) run() error {
	if err := s.sendSession("created"); err != nil {
		return err
	}
	for {
		m, err := s.socket.Next()
		if err != nil {
			return err
		}
		event := &clientEvent{}
		if err = unmarshal("event", m.Data, event); err == nil {
			err = s.handle(event)
		}
		var refused *errs.Error
		switch {
		case err == nil:
		case errors.As(err, &refused) && refused.Reason() == errs.InvalidRequest, errors.As(err, &refused) && refused.Reason() == errs.ModelNotFound:
			if err := s.send("error", map[string]any{"error": failureOf(refused, event.EventID)}); err != nil {
				return err
			}
		default:
			return err
		}
	}
}

// handle handles one event. What is wrong with it is INVALID_REQUEST or MODEL_NOT_FOUND;
// other errors end the socket.
func (s *realtime) handle(e *clientEvent) error {
	switch e.Type {
	case "session.update", "transcription_session.update":
		return s.update(&e.Session)
	case "input_audio_buffer.append":
		data, err := base64.StdEncoding.DecodeString(e.Audio)
		if err != nil {
			return invalid("audio", "audio is not base64")
		}
		return s.hear(s.session.format.samples(data))
	case "input_audio_buffer.commit":
		return s.commit()
	case "input_audio_buffer.clear":
		return s.clear()
	case "":
		return invalid("type", "the event has no type")
	}
	return invalid("type", "events of the type %q are not supported; use session.update, input_audio_buffer.append, input_audio_buffer.commit or input_audio_buffer.clear", e.Type)
}

// update changes the session.
func (s *realtime) update(u *sessionUpdate) error {
	changed, err := s.session.updated(u, s.modelOf)
	if err != nil {
		return err
	}
	if s.buffer.turn != nil && changed.format != s.session.format {
		return invalid("session", "the format cannot change while the buffer has audio; commit or clear it first")
	}
	s.session = changed
	s.buffer.configure(&s.session)
	if t := s.buffer.turn; t != nil && !t.started && !s.buffer.manual {
		// Nobody has spoken in what the client would have committed.
		end := s.buffer.unspoken[max(0, len(s.buffer.unspoken)-s.buffer.padding):]
		s.buffer.before = slices.Clone(end)
		if err := s.drop(); err != nil {
			return err
		}
	}
	return s.sendSession("updated")
}

func (s *realtime) sendSession(what string) error {
	kind := "session." + what
	if s.old {
		kind = "transcription_session." + what
	}
	return s.send(kind, map[string]any{"session": s.session.view(s.old)})
}

// send sends an event.
func (s *realtime) send(kind string, fields map[string]any) error {
	fields["type"], fields["event_id"] = kind, newID("event_")
	text, err := json.Marshal(fields)
	if err != nil {
		return err
	}
	s.sending.Lock()
	defer s.sending.Unlock()
	return s.socket.SendText(text)
}

// realtimeFailure is an error in an event, and which event of the client caused it.
type realtimeFailure struct {
	reply.OpenAIFailure
	EventID *string `json:"event_id"`
}

// errEmpty is the error of a commit without audio.
var errEmpty = errs.New(errs.InvalidRequest, "the buffer has less than 100 ms of audio: append audio before you commit it")

func failureOf(err error, event string) realtimeFailure {
	f := realtimeFailure{OpenAIFailure: reply.OpenAIBodyOf(err).Error}
	if errors.Is(err, errEmpty) {
		code := "input_audio_buffer_commit_empty" // which clients know
		f.Code = &code
	}
	if event != "" {
		f.EventID = &event
	}
	return f
}

// realtimeError is the last event of a socket that fails.
func realtimeError(err error) []byte {
	text, failed := json.Marshal(map[string]any{"type": "error", "event_id": newID("event_"), "error": failureOf(err, "")})
	if failed != nil {
		return []byte(`{"type":"error","error":{}}`)
	}
	return text
}
