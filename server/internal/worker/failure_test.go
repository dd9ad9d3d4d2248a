package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/lexilingo/modelgateway/engines/errs"
)

// An engine that answers with an error is alive. Its end must not be waited for.
func TestAnswered(t *testing.T) {
	crashed := errs.New(errs.EngineCrashed, "the cloud is not available")
	for name, c := range map[string]struct {
		err  error
		want bool
	}{
		"an answer":          {crashed.GRPCStatus().Err(), true},
		"a wrapped answer":   {fmt.Errorf("recv: %w", crashed.GRPCStatus().Err()), true},
		"a broken stream":    {status.Error(codes.Unavailable, "the transport is closing"), false},
		"an untyped failure": {errors.New("no room"), false},
	} {
		if got := answered(c.err); got != c.want {
			t.Errorf("%s: answered is %v", name, got)
		}
	}
}

func TestBrokenCallIsExplainedByTheEndOfTheProcess(t *testing.T) {
	exit := errs.New(errs.EngineCrashed, "signal: killed").WithCause(ErrEnded)
	unavailable := status.Error(codes.Unavailable, "the transport is closing")
	answer := errs.New(errs.Internal, "a panic").GRPCStatus().Err()
	for name, c := range map[string]struct {
		err    error
		ends   bool // the process ends after half of the wait
		exit   error
		cancel bool // the call is cancelled before that
		want   string
		wait   time.Duration
		atEnd  bool // ErrEnded is in the chain
	}{
		"a crash":                          {err: unavailable, ends: true, exit: exit, want: exit.Error(), wait: exitWait / 2, atEnd: true},
		"an untyped failure, then a crash": {err: status.Error(codes.Unknown, "EOF"), ends: true, exit: exit, want: exit.Error(), wait: exitWait / 2, atEnd: true},
		"a stop":                           {err: unavailable, ends: true, want: `ENGINE_CRASHED: the engine of model "m" was stopped`, wait: exitWait / 2, atEnd: true},
		"no end of the process":            {err: unavailable, want: `ENGINE_CRASHED: the connection to the engine of model "m" broke`, wait: exitWait},
		"an untyped failure":               {err: status.Error(codes.Unknown, "ValueError"), want: "rpc error: code = Unknown desc = ValueError", wait: exitWait},
		"an answer of the engine":          {err: answer, ends: true, exit: exit, want: errs.From(answer).Error()},
		"an untyped invalid argument":      {err: status.Error(codes.InvalidArgument, "no"), ends: true, exit: exit, want: "rpc error: code = InvalidArgument desc = no"},
		"a cancelled call":                 {err: unavailable, cancel: true, want: unavailable.Error(), wait: exitWait / 4},
		"a worker that drains":             {err: errs.New(errs.Draining, "the engine is stopping").GRPCStatus().Err(), ends: true, exit: exit, want: exit.Error(), wait: exitWait / 2, atEnd: true},
		"a worker that drains slowly":      {err: errs.New(errs.Draining, "the engine is stopping").GRPCStatus().Err(), want: `ENGINE_CRASHED: the engine of model "m" is stopping`, wait: exitWait, atEnd: true},
		"the end of the stream":            {err: io.EOF, ends: true, exit: exit, want: "EOF"},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			ended := make(chan struct{})
			f := &failures{model: "m", ended: ended, exitError: func() error { return c.exit }}
			if c.ends {
				time.AfterFunc(exitWait/2, func() { close(ended) })
			}
			if c.cancel {
				time.AfterFunc(exitWait/4, cancel)
			}
			start := time.Now()
			err := f.explain(ctx, c.err)
			if err.Error() != c.want || time.Since(start) != c.wait || errors.Is(err, ErrEnded) != c.atEnd {
				t.Errorf("%s: %v after %s, want %s after %s", name, err, time.Since(start), c.want, c.wait)
			}
			time.Sleep(exitWait)
		})
	}
}
