package rest

import (
	"context"
	"net/http"

	"google.golang.org/grpc/status"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/reply"
)

// firstErrorWriter answers a stream that fails before its first message as any
// other error: grpc-gateway would send it as a line of the stream, without
// Retry-After.
type firstErrorWriter struct {
	http.ResponseWriter
	err      error
	answered bool
}

type firstErrorKey struct{}

// plainStreamErrors gives each request a firstErrorWriter.
func plainStreamErrors(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f := &firstErrorWriter{ResponseWriter: w}
		next.ServeHTTP(f, r.WithContext(context.WithValue(r.Context(), firstErrorKey{}, f)))
	})
}

// streamError returns the last line of a stream that fails. grpc-gateway calls
// it before it writes the header, if that line is also the first.
func streamError(ctx context.Context, err error) *status.Status {
	if f, ok := ctx.Value(firstErrorKey{}).(*firstErrorWriter); ok {
		f.err = err
	}
	return errs.From(err).GRPCStatus()
}

// WriteHeader implements http.ResponseWriter.
func (f *firstErrorWriter) WriteHeader(code int) {
	if f.err != nil && !f.answered {
		f.answered = true
		reply.Error(f.ResponseWriter, f.err)
		return
	}
	f.ResponseWriter.WriteHeader(code)
}

// Write implements http.ResponseWriter.
func (f *firstErrorWriter) Write(p []byte) (int, error) {
	if f.answered {
		return len(p), nil
	}
	return f.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach the connection.
func (f *firstErrorWriter) Unwrap() http.ResponseWriter { return f.ResponseWriter }
