package api

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
	"google.golang.org/grpc"
)

// interceptor surrounds every call. It validates requests, turns every error into a
// typed one, and turns a panic into the error of the call that caused it.
type interceptor struct {
	log       *slog.Logger
	validator *Validator
}

func (i *interceptor) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (resp any, err error) {
	start := time.Now()
	defer func() { err = i.ended(ctx, info.FullMethod, start, recover(), err) }()
	if err := i.validator.checkReceived(req); err != nil {
		return nil, err
	}
	return next(ctx, req)
}

func (i *interceptor) stream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) (err error) {
	start := time.Now()
	defer func() { err = i.ended(stream.Context(), info.FullMethod, start, recover(), err) }()
	return next(srv, &checkedStream{ServerStream: stream, interceptor: i})
}

// checkedStream validates every message that a caller streams.
type checkedStream struct {
	grpc.ServerStream
	interceptor *interceptor
}

// RecvMsg implements grpc.ServerStream.
func (s *checkedStream) RecvMsg(m any) error {
	if err := receive(s.Context(), s.ServerStream.RecvMsg, m); err != nil {
		return err
	}
	return s.interceptor.validator.checkReceived(m)
}

// ended logs the end of a call and returns its error in the form that the caller
// gets. The text of an internal error goes to the log; the caller gets an id that
// finds it there.
func (i *interceptor) ended(ctx context.Context, method string, start time.Time, panicked any, err error) error {
	if panicked != nil {
		err = fmt.Errorf("panic: %v\n%s", panicked, debug.Stack())
	}
	attrs := []any{"method", method, "duration", time.Since(start)}
	if err == nil {
		i.log.DebugContext(ctx, "call ended", attrs...)
		return nil
	}
	e := errs.From(err)
	attrs = append(attrs, "reason", errs.ReasonName(e.Reason()))
	if e.Reason() != errs.Internal {
		i.log.DebugContext(ctx, "call failed", append(attrs, "message", e.Message())...)
		return e
	}
	id := rand.Text()[:12]
	i.log.ErrorContext(ctx, "call failed inside the server", append(attrs, "error_id", id, "error", err.Error())...)
	return errs.New(errs.Internal, "internal error; the server's log has the cause under error_id %s", id).With("error_id", id)
}
