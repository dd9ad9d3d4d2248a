package bodies

import (
	"net/http"
	"strconv"

	"github.com/lexilingo/modelgateway/server/internal/httpserver/reply"
)

// responseWriter answers with the failure of the request's body, if it failed
// before the answer began: a handler's own error for it has lost the kind of
// the failure.
type responseWriter struct {
	http.ResponseWriter
	request  *http.Request // as it came: handlers change theirs
	body     *body
	begun    bool
	replaced http.Header // takes the headers of an answer that is not sent
}

// Header implements http.ResponseWriter.
func (w *responseWriter) Header() http.Header {
	if w.replaced != nil {
		return w.replaced
	}
	return w.ResponseWriter.Header()
}

// WriteHeader implements http.ResponseWriter.
func (w *responseWriter) WriteHeader(code int) {
	if w.begun {
		return
	}
	if code < http.StatusOK {
		w.ResponseWriter.WriteHeader(code)
		return
	}
	w.begun = true
	if f := w.body.failure.Load(); f != nil {
		w.sendFailure(f)
		return
	}
	if (w.body.audio || w.body.stream) && w.request.ProtoMajor == 1 && w.body.unread() {
		// net/http would otherwise wait for more of the body before it answers.
		w.ResponseWriter.Header().Set("Connection", "close")
	}
	w.ResponseWriter.WriteHeader(code)
}

// sendFailure sends a failure instead of the handler's answer.
func (w *responseWriter) sendFailure(f *failure) {
	header := w.ResponseWriter.Header()
	w.replaced = header.Clone()
	for _, name := range []string{
		"Content-Encoding", "Content-Length", "Content-Type", "Trailer",
		"Grpc-Status", "Grpc-Message", "Grpc-Status-Details-Bin",
	} {
		header.Del(name)
	}
	if w.request.ProtoMajor != 1 {
		reply.Refuse(w.ResponseWriter, w.request, f.code, f.err)
		return
	}
	header.Set("Connection", "close") // the rest of the body is still to come
	whole := &bufferedWriter{ResponseWriter: w.ResponseWriter, code: http.StatusOK}
	reply.Refuse(whole, w.request, f.code, f.err)
	whole.send()
}

// Write implements http.ResponseWriter.
func (w *responseWriter) Write(p []byte) (int, error) {
	if !w.begun {
		w.WriteHeader(http.StatusOK)
	}
	if w.replaced != nil {
		return len(p), nil
	}
	return w.ResponseWriter.Write(p)
}

// Flush implements http.Flusher, which gRPC needs.
func (w *responseWriter) Flush() {
	if !w.begun {
		w.WriteHeader(http.StatusOK)
	}
	_ = http.NewResponseController(w.ResponseWriter).Flush() // net/http's own writers can
}

// Unwrap lets http.ResponseController reach the connection.
func (w *responseWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// bufferedWriter keeps a short answer and sends it with its length, so that the
// client has all of it before the handler ends.
type bufferedWriter struct {
	http.ResponseWriter
	code int
	body []byte
}

// WriteHeader implements http.ResponseWriter.
func (w *bufferedWriter) WriteHeader(code int) { w.code = code }

// Write implements http.ResponseWriter.
func (w *bufferedWriter) Write(p []byte) (int, error) {
	w.body = append(w.body, p...)
	return len(p), nil
}

func (w *bufferedWriter) send() {
	w.Header().Set("Content-Length", strconv.Itoa(len(w.body)))
	w.ResponseWriter.WriteHeader(w.code)
	_, _ = w.ResponseWriter.Write(w.body) // fails only if the client is gone
}
