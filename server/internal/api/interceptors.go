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

// guard is what surrounds every call: nothing leaves but a typed error, a panic
// costs one call, and requests keep the rules of the proto.
type guard struct {
	log   *slog.Logger
	rules *Rules
}

func (g *guard) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (resp any, err error) {
	start := time.Now()
	defer func() { err = g.ended(ctx, info.FullMethod, start, recover(), err) }()
	if err := g.rules.check(req); err != nil {
		return nil, err
	}
	return next(ctx, req)
}

func (g *guard) stream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) (err error) {
	start := time.Now()
	defer func() { err = g.ended(stream.Context(), info.FullMethod, start, recover(), err) }()
	return next(srv, &checkedStream{ServerStream: stream, guard: g})
}

// checkedStream validates what a caller streams.
type checkedStream struct {
	grpc.ServerStream
	guard *guard
}

// RecvMsg implements grpc.ServerStream.
func (s *checkedStream) RecvMsg(m any) error {
	if err := s.ServerStream.RecvMsg(m); err != nil {
		return err
	}
	return s.guard.rules.check(m)
}

// ended makes a call's error fit to leave, and logs it. What the server itself
// is to blame for goes to the log under an id, and only the id leaves.
func (g *guard) ended(ctx context.Context, method string, start time.Time, panicked any, err error) error {
	if panicked != nil {
		err = fmt.Errorf("panic: %v\n%s", panicked, debug.Stack())
	}
	attrs := []any{"method", method, "duration", time.Since(start)}
	if err == nil {
		g.log.DebugContext(ctx, "call ended", attrs...)
		return nil
	}
	e := errs.From(err)
	attrs = append(attrs, "reason", errs.ReasonName(e.Reason()))
	if e.Reason() != errs.Internal {
		g.log.DebugContext(ctx, "call failed", append(attrs, "message", e.Message())...)
		return e
	}
	id := rand.Text()[:12]
	g.log.ErrorContext(ctx, "call failed inside the server", append(attrs, "error_id", id, "error", err.Error())...)
	return errs.New(errs.Internal, "an internal error; the server's log has it under error_id %s", id).With("error_id", id)
}
