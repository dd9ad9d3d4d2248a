package httpserver

import (
	"bufio"
	"net"
	"net/http"

	"github.com/lexilingo/modelgateway/server/internal/quota"
)

// limitsWriter adds to an answer what its caller has left. That is known when the
// answer begins: most of them have been charged by then.
type limitsWriter struct {
	http.ResponseWriter
	account quota.Account
	begun   bool
}

// WriteHeader implements http.ResponseWriter.
func (w *limitsWriter) WriteHeader(code int) {
	if code >= http.StatusOK && !w.begun {
		w.begun = true
		w.account.Fields(w.Header().Set)
	}
	w.ResponseWriter.WriteHeader(code)
}

// Write implements http.ResponseWriter.
func (w *limitsWriter) Write(p []byte) (int, error) {
	if !w.begun {
		w.WriteHeader(http.StatusOK)
	}
	return w.ResponseWriter.Write(p)
}

// Flush implements http.Flusher, which gRPC needs.
func (w *limitsWriter) Flush() {
	if !w.begun {
		w.WriteHeader(http.StatusOK)
	}
	_ = http.NewResponseController(w.ResponseWriter).Flush() // net/http's own writers can
}

// Hijack implements http.Hijacker, which WebSockets need.
func (w *limitsWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return http.NewResponseController(w.ResponseWriter).Hijack()
}

// Unwrap lets http.ResponseController reach the connection.
func (w *limitsWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
