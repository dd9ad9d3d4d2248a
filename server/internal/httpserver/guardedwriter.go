package httpserver

import (
	"net/http"
	"strconv"
)

// guardedWriter answers with the failure of the request's body, if it failed
// before the answer began: what the handlers make of it has lost its kind.
type guardedWriter struct {
	http.ResponseWriter
	caller   *http.Request // as it came; handlers change theirs
	body     *pacedBody
	begun    bool
	replaced http.Header // takes the headers of an answer that is not sent
}

// Header implements http.ResponseWriter.
func (w *guardedWriter) Header() http.Header {
	if w.replaced != nil {
		return w.replaced
	}
	return w.ResponseWriter.Header()
}

// WriteHeader implements http.ResponseWriter.
func (w *guardedWriter) WriteHeader(code int) {
	if w.begun {
		return
	}
	if code < http.StatusOK {
		w.ResponseWriter.WriteHeader(code)
		return
	}
	w.begun = true
	failure := w.body.failure.Load()
	if failure == nil {
		if w.body.streamed && w.caller.ProtoMajor == 1 && w.body.left() {
			// net/http would otherwise wait for more of the body before it answers.
			w.ResponseWriter.Header().Set("Connection", "close")
		}
		w.ResponseWriter.WriteHeader(code)
		return
	}
	header := w.ResponseWriter.Header()
	w.replaced = header.Clone()
	for _, name := range []string{
		"Content-Encoding", "Content-Length", "Content-Type", "Trailer",
		"Grpc-Status", "Grpc-Message", "Grpc-Status-Details-Bin",
	} {
		header.Del(name)
	}
	if w.caller.ProtoMajor != 1 {
		refuse(w.ResponseWriter, w.caller, failure.code, failure.err)
		return
	}
	header.Set("Connection", "close") // the rest of the body is still to come
	whole := &wholeWriter{ResponseWriter: w.ResponseWriter, code: http.StatusOK}
	refuse(whole, w.caller, failure.code, failure.err)
	whole.send()
}

// wholeWriter keeps a short answer until it is whole, and sends it with its
// length: it is complete to the caller before the handler ends.
type wholeWriter struct {
	http.ResponseWriter
	code int
	body []byte
}

// WriteHeader implements http.ResponseWriter.
func (w *wholeWriter) WriteHeader(code int) { w.code = code }

// Write implements http.ResponseWriter.
func (w *wholeWriter) Write(p []byte) (int, error) {
	w.body = append(w.body, p...)
	return len(p), nil
}

func (w *wholeWriter) send() {
	w.Header().Set("Content-Length", strconv.Itoa(len(w.body)))
	w.ResponseWriter.WriteHeader(w.code)
	_, _ = w.ResponseWriter.Write(w.body) // the caller has left if this fails
}

// Write implements http.ResponseWriter.
func (w *guardedWriter) Write(p []byte) (int, error) {
	if !w.begun {
		w.WriteHeader(http.StatusOK)
	}
	if w.replaced != nil {
		return len(p), nil
	}
	return w.ResponseWriter.Write(p)
}

// Flush implements http.Flusher, which gRPC needs.
func (w *guardedWriter) Flush() {
	if !w.begun {
		w.WriteHeader(http.StatusOK)
	}
	_ = http.NewResponseController(w.ResponseWriter).Flush() // net/http's own can
}

// Unwrap lets http.ResponseController reach the connection.
func (w *guardedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
