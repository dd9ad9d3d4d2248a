package modelgateway

import (
	"context"
	"errors"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// unary is the interceptor of calls with one answer.
func (s settings) unary(ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	ctx, cancel := s.limit(ctx, s.timeout)
	defer cancel()
	ctx = s.named(ctx, req)
	for attempt := 1; ; attempt++ {
		e := errorOf(judge(ctx, failed(unsent(ctx, invoke(ctx, method, req, reply, conn, opts...)))))
		if e == nil {
			return nil
		}
		wait, again := s.retry.wait(ctx, e, attempt)
		if !again || !sleep(ctx, wait) {
			return e
		}
	}
}

// unsent gives a call a status that gRPC repeated itself, because a stream was refused, and
// whose second stream ended before the request was written: gRPC returns io.EOF then.
func unsent(ctx context.Context, err error) error {
	switch {
	case !errors.Is(err, io.EOF):
		return err
	case ctx.Err() != nil:
		return status.FromContextError(ctx.Err()).Err()
	}
	return status.Error(codes.Unavailable, "the connection ended before the request was sent")
}

// stream is the interceptor of calls that are streams.
func (s settings) stream(ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	ctx, cancel := s.limit(ctx, s.streamTimeout(method))
	c := &stream{settings: s, ctx: ctx, cancel: cancel, again: !desc.ClientStreams, single: !desc.ServerStreams, attempt: 1}
	c.open = func() (grpc.ClientStream, error) { return open(s.named(ctx, c.request), desc, conn, method, opts...) }
	if desc.ClientStreams {
		var err error
		if c.ClientStream, err = c.open(); err != nil {
			cancel()
			return nil, failed(err)
		}
	}
	return c, nil
}

// streamTimeout returns the time that a stream without a deadline has; 0 is no limit.
func (s settings) streamTimeout(method string) time.Duration {
	switch method {
	case gatewayv1.ModelAdminService_WatchModels_FullMethodName:
		return 0
	case gatewayv1.ModelGatewayService_StreamTranscribe_FullMethodName, gatewayv1.ModelGatewayService_Transcribe_FullMethodName,
		gatewayv1.ModelGatewayService_OpenTranscription_FullMethodName, gatewayv1.ModelGatewayService_Synthesize_FullMethodName:
		if s.timeout > 0 {
			return max(s.timeout, liveTimeout)
		}
	}
	return s.timeout
}

// limit gives a context without a deadline one.
func (settings) limit(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok || timeout <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, timeout)
}

// named adds the headers by which a proxy chooses a server for a request.
func (s settings) named(ctx context.Context, req any) context.Context {
	conversation, ok := ctx.Value(conversationKey{}).(string)
	if !ok {
		conversation = s.conversation
	}
	if conversation != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, affinityHeader, affinity(conversation))
	}
	if model := modelOf(req); model != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, modelHeader, model)
	}
	return ctx
}

// modelOf returns the model that a request names, if it can be a header.
func modelOf(req any) string {
	name := ""
	switch req := req.(type) {
	case interface{ GetModel() string }:
		name = req.GetModel()
	case interface{ GetModelName() string }:
		name = req.GetModelName()
	case interface {
		GetConfig() *gatewayv1.TranscriptionConfig
	}:
		name = req.GetConfig().GetModel()
	}
	for _, c := range []byte(name) {
		if c < ' ' || c > '~' {
			return ""
		}
	}
	return name
}

// stream is a call that is a stream. One without a stream of requests begins with its
// only request, and is retried until its first answer.
type stream struct {
	grpc.ClientStream
	settings settings
	ctx      context.Context
	cancel   context.CancelFunc
	open     func() (grpc.ClientStream, error)
	request  any
	again    bool // it may be retried
	single   bool // it has one answer
	attempt  int
}

// SendMsg implements grpc.ClientStream.
func (c *stream) SendMsg(m any) error {
	if !c.again {
		return failed(c.ClientStream.SendMsg(m))
	}
	c.request = m
	err := c.begin()
	if err != nil {
		c.cancel()
	}
	return err
}

// begin opens the stream and sends the only request. If that fails, it retries.
func (c *stream) begin() error {
	for {
		var err error
		if c.ClientStream, err = c.open(); err == nil {
			err = c.ClientStream.SendMsg(c.request)
		}
		if err == nil || errors.Is(err, io.EOF) { // RecvMsg has the error
			return nil
		}
		if err := c.retry(failed(err)); err != nil {
			return err
		}
	}
}

// retry waits for the next attempt. It returns the error if there is none.
func (c *stream) retry(err error) error {
	var e *Error
	if !errors.As(err, &e) {
		return err
	}
	wait, again := c.settings.retry.wait(c.ctx, e, c.attempt)
	if !again || !sleep(c.ctx, wait) {
		return err
	}
	c.attempt++
	return nil
}

// RecvMsg implements grpc.ClientStream.
func (c *stream) RecvMsg(m any) error {
	for {
		err := judge(c.ctx, failed(c.ClientStream.RecvMsg(m)))
		if err == nil {
			c.again = false
			if c.single {
				c.cancel()
			}
			return nil
		}
		if errors.Is(err, io.EOF) || !c.again {
			c.cancel()
			return err
		}
		if err := c.retry(err); err != nil {
			c.cancel()
			return err
		}
		if err := c.begin(); err != nil {
			return err
		}
		if err := c.CloseSend(); err != nil {
			return failed(err)
		}
	}
}

// receive yields what recv returns, up to the first error.
func receive[T any](recv func() (*T, error), yield func(*T, error) bool) {
	for {
		m, err := recv()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			yield(nil, err)
			return
		}
		if !yield(m, nil) {
			return
		}
	}
}

// sleep waits, and reports whether the context goes on.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// failed converts an error of a call to an *Error. It returns nil and io.EOF
// unchanged.
func failed(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return err
	}
	if e := errorOf(err); e != nil {
		return e
	}
	return err
}

// clockTolerance is by how much a server's clock may be ahead of the client's.
const clockTolerance = 100 * time.Millisecond

// judge returns the error of a call, or that of a deadline for a stream that was reset at
// its deadline: the server resets it when the deadline passes by its own clock, which can be
// shortly before it passes by the client's.
func judge(ctx context.Context, err error) error {
	var e *Error
	deadline, ok := ctx.Deadline()
	if !ok || !errors.As(err, &e) || !e.broken() || !e.reset() || time.Until(deadline) >= clockTolerance {
		return err
	}
	return &Error{Code: codes.DeadlineExceeded, Message: "the deadline passed"}
}

// errorOf is ErrorOf, but never nil for an error.
func errorOf(err error) *Error {
	if err == nil {
		return nil
	}
	if e := ErrorOf(err); e != nil {
		return e
	}
	return &Error{Code: codes.Unknown, Message: err.Error()}
}
