package httpserver

import (
	"context"
	"net/http"

	"google.golang.org/grpc/status"
)

// shaper makes the error of a stream that fails before its first message look
// like any other: grpc-gateway would answer it as a line of the stream, without
// Retry-After.
type shaper struct {
	http.ResponseWriter
	err    error
	shaped bool
}

type shaperKey struct{}

// shapeErrors gives each request a shaper.
func shapeErrors(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := &shaper{ResponseWriter: w}
		next.ServeHTTP(s, r.WithContext(context.WithValue(r.Context(), shaperKey{}, s)))
	})
}

// streamError makes the last line of a stream that breaks, and tells the shaper
// in case that it is also the first.
func streamError(ctx context.Context, err error) *status.Status {
	if s, ok := ctx.Value(shaperKey{}).(*shaper); ok {
		s.err = err
	}
	return typed(err).GRPCStatus()
}

// WriteHeader implements http.ResponseWriter.
func (s *shaper) WriteHeader(code int) {
	if s.err != nil && !s.shaped {
		s.shaped = true
		writeError(context.Background(), nil, nil, s.ResponseWriter, nil, s.err)
		return
	}
	s.ResponseWriter.WriteHeader(code)
}

// Write implements http.ResponseWriter.
func (s *shaper) Write(p []byte) (int, error) {
	if s.shaped {
		return len(p), nil
	}
	return s.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach the connection.
func (s *shaper) Unwrap() http.ResponseWriter { return s.ResponseWriter }
