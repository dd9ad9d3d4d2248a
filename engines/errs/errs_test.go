package errs

import (
	"context"
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
