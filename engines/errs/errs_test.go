package errs

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// A status without an ErrorInfo of ours gets the nearest reason.
func TestForeignStatusesGetAReason(t *testing.T) {
	for _, test := range []struct {
		code    codes.Code
		message string
		want    Reason
	}{
		{codes.ResourceExhausted, "grpc: received message larger than max (9 vs. 4)", InvalidRequest},
		{codes.ResourceExhausted, "grpc: message after decompression larger than max (9 vs. 4)", InvalidRequest},
		{codes.ResourceExhausted, "slow down", RateLimited},
		{codes.InvalidArgument, "no", InvalidRequest},
		{codes.Unavailable, "gone", EngineCrashed},
		{codes.DataLoss, "lost", Internal},
	} {
		if got := ReasonOf(status.Error(test.code, test.message)); got != test.want {
			t.Errorf("%s %q: %s, want %s", test.code, test.message, ReasonName(got), ReasonName(test.want))
		}
	}
}

// A status with an ErrorInfo of ours keeps its reason, whatever its message says.
func TestOurStatusesKeepTheirReason(t *testing.T) {
	sent := New(QueueFull, "larger than max").GRPCStatus().Err()
	if got := ReasonOf(sent); got != QueueFull {
		t.Errorf("%s", ReasonName(got))
	}
}

// A call that ended early has the same message whichever layer noticed it; a
// message of an *Error is kept.
func TestEarlyEndsHaveOneMessage(t *testing.T) {
	for want, foreign := range map[string][]error{
		"the deadline passed": {
			context.DeadlineExceeded, status.FromContextError(context.DeadlineExceeded).Err(),
			status.Error(codes.DeadlineExceeded, "stream terminated by RST_STREAM with error code: CANCEL"),
		},
		"the call was cancelled": {context.Canceled, status.Error(codes.Canceled, "grpc: the client connection is closing")},
	} {
		for _, err := range foreign {
			if got := From(err).Message(); got != want {
				t.Errorf("%v: %q, want %q", err, got, want)
			}
		}
	}
	for _, reason := range []Reason{DeadlineExceeded, Cancelled} {
		if got := From(New(reason, "our own words").GRPCStatus().Err()).Message(); got != "our own words" {
			t.Errorf("%s: %q", ReasonName(reason), got)
		}
	}
}

// A message does not begin with its reason, which stands beside it, whether the
// error was made here or came as a status.
func TestReasonIsNotRepeated(t *testing.T) {
	inner := New(InvalidRequest, "no text")
	for name, e := range map[string]*Error{
		"made of an error": New(InvalidRequest, "%s", inner),
		"status":           From(status.Error(codes.InvalidArgument, inner.Error())),
		"status of ours":   From((&Error{reason: QueueFull, message: "QUEUE_FULL: no text"}).GRPCStatus().Err()),
	} {
		if e.Message() != "no text" {
			t.Errorf("%s: %s", name, e)
		}
	}
}

// An error repeats at most 100 characters of what it quotes.
func TestQuotesAreShort(t *testing.T) {
	long := strings.Repeat("ê", 1_000_000)
	want := strings.Repeat("ê", 100) + "…"
	for name, c := range map[string]struct{ got, want string }{
		"argument":    {New(InvalidRequest, "no model %q; use %q", long, "a").Message(), `no model "` + want + `"; use "a"`},
		"escapes":     {New(InvalidRequest, "%q", strings.Repeat(`"`, 200)).Message(), `"` + strings.Repeat(`\"`, 100) + `…"`},
		"end missing": {New(InvalidRequest, `got "%s`, long).Message(), `got "` + want},
		"short":       {New(InvalidRequest, "%q", long[:200]).Message(), `"` + long[:200] + `"`},
		"status":      {From(status.Error(codes.NotFound, `no "`+long+`"`)).Message(), `no "` + want + `"`},
		"metadata":    {New(InvalidRequest, "").With("model", long).Metadata()["model"], want},
		"fields":      {New(InvalidRequest, "").With("fields", long).Metadata()["fields"], long},
		"not quoted":  {New(InvalidRequest, "%s", long).Message(), strings.Repeat("ê", 2000) + "…"},
		"number, protojson": {PlainProtoError(fmt.Errorf("proto: (line 1:2): invalid value for int32 field k: %s", strings.Repeat("3", 1_000_000))),
			"invalid value for int32 field k: " + strings.Repeat("3", 100) + "…"},
	} {
		if c.got != c.want {
			t.Errorf("%s: %d characters, want %d: %.300s", name, len(c.got), len(c.want), c.got)
		}
	}
}
