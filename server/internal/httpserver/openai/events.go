package openai

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/lexilingo/modelgateway/server/internal/httpserver/reply"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/rest"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/speech"
)

// events writes an answer as a stream of server-sent events.
type events struct {
	w       http.ResponseWriter
	control *http.ResponseController
	timeout time.Duration // for each event; 0: none
	begun   bool
}

func (h *Handlers) newEvents(w http.ResponseWriter) *events {
	return &events{w: w, control: http.NewResponseController(w), timeout: h.opts.WriteTimeout}
}

// begin sends the headers. What is known only at the end comes as trailers.
func (e *events) begin() {
	if e.begun {
		return
	}
	e.begun = true
	header := e.w.Header()
	reply.SetRequestID(header)
	reply.Unbuffered(header)
	header.Set("Content-Type", rest.EventStream)
	for _, name := range speech.ServedByHeaders() {
		header.Add("Trailer", name)
	}
}

// send sends an event whose data is a value as JSON.
func (e *events) send(v any) error { return e.sendNamed("", v) }

// sendNamed sends an event that has a name; "": none.
func (e *events) sendNamed(name string, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if name != "" {
		name = "event: " + name + "\n"
	}
	return e.write(name + "data: " + string(text) + "\n\n")
}

// done sends the event that ends a stream.
func (e *events) done() error { return e.write("data: [DONE]\n\n") }

// comment sends a line that clients ignore.
func (e *events) comment(text string) error { return e.write(": " + text + "\n\n") }

// fail answers with an error: as an event if the answer has begun.
func (e *events) fail(err error) {
	if !e.begun {
		reply.OpenAIError(e.w, err)
		return
	}
	_ = e.send(reply.OpenAIBodyOf(err)) // fails only if the client is gone
}

func (e *events) write(text string) error {
	e.begin()
	if e.timeout > 0 {
		// An error means a connection without deadlines, which no listener of ours
		// accepts.
		_ = e.control.SetWriteDeadline(time.Now().Add(e.timeout))
	}
	if _, err := e.w.Write([]byte(text)); err != nil {
		return err
	}
	err := e.control.Flush()
	e.close() // over HTTP/2 the deadline would end the stream between two events
	return err
}

// close ends the write deadline: the next request may use the connection.
func (e *events) close() {
	if e.timeout > 0 {
		_ = e.control.SetWriteDeadline(time.Time{})
	}
}
