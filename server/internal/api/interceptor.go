package api

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
	"google.golang.org/grpc"

	"github.com/lexilingo/modelgateway/server/internal/auth"
	"github.com/lexilingo/modelgateway/server/internal/quota"
)

// Authorizer decides about every call; see auth.Authorizer.
type Authorizer interface {
	Authorize(ctx context.Context, rpc string) (context.Context, context.CancelFunc, error)
}

// interceptor surrounds every call. It refuses streams that the caller may not open, or
// of which it has sent too many (registrar refuses the other calls), validates requests, turns every error into a typed one, and turns a panic into the
// error of the call that caused it.
type interceptor struct {
	log        *slog.Logger
	validator  *Validator
	authorizer Authorizer
	limiter    *quota.Limiter
}

func (i *interceptor) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (resp any, err error) {
	start := time.Now()
	defer func() { err = i.ended(ctx, info.FullMethod, start, recover(), err) }()
	if err := i.validator.checkReceived(req); err != nil {
		return nil, err
	}
	resp, err = next(ctx, req)
	return resp, endOf(ctx, err)
}

func (i *interceptor) stream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) (err error) {
	start := time.Now()
	ctx := stream.Context()
	defer func() { err = i.ended(ctx, info.FullMethod, start, recover(), err) }()
	authorized, end, err := i.authorizer.Authorize(ctx, info.FullMethod)
	if err != nil {
		return err
	}
	defer end()
	ctx = authorized
	err = takeRequest(ctx, i.limiter, info.FullMethod)
	tellLimits(ctx, i.limiter)
	if err != nil {
		return err
	}
	return endOf(ctx, next(srv, &checkedStream{ServerStream: stream, ctx: ctx, interceptor: i}))
}

// endOf returns the error of a call that failed because its context ended: the cause
// of that end, if it is one of ours.
func endOf(ctx context.Context, err error) error {
	var cause *errs.Error
	if err != nil && errors.As(context.Cause(ctx), &cause) {
		return cause
	}
	return err
}

// checkedStream validates every message that a caller streams.
type checkedStream struct {
	grpc.ServerStream
	ctx         context.Context // of the authorized call
	interceptor *interceptor
}

// Context implements grpc.ServerStream.
func (s *checkedStream) Context() context.Context { return s.ctx }

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
	attrs := append([]any{"method", method, "duration", time.Since(start)}, callerAttrs(ctx)...)
	if err == nil {
		i.log.DebugContext(ctx, "call ended", attrs...)
		return nil
	}
	e := errs.From(err)
	if e.Reason() != errs.Internal {
		i.log.DebugContext(ctx, "call failed", append(attrs, "reason", errs.ReasonName(e.Reason()), "message", e.Message())...)
		return e
	}
	return hidden(ctx, i.log, "call failed inside the server", err, attrs...)
}

// callerAttrs returns what the log says of the caller.
func callerAttrs(ctx context.Context) (attrs []any) {
	caller := auth.CallerOf(ctx)
	if caller.Name != "" {
		attrs = append(attrs, "key", caller.Name)
	}
	if caller.Subject != "" {
		attrs = append(attrs, "subject", caller.Subject)
	}
	return attrs
}

// hidden logs an internal error, and returns what a caller gets instead of its text.
func hidden(ctx context.Context, log *slog.Logger, what string, err error, attrs ...any) *errs.Error {
	id := rand.Text()[:12]
	log.ErrorContext(ctx, what, append(attrs, "reason", errs.ReasonName(errs.Internal), "error_id", id, "error", err.Error())...)
	return errs.New(errs.Internal, "internal error; the server's log has the cause under error_id %s", id).With("error_id", id)
}
