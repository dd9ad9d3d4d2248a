package errs

import (
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Statuses that carry no reason of ours get the nearest one.
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

// What is one of ours keeps its reason, whatever its message says.
func TestOurStatusesKeepTheirReason(t *testing.T) {
	sent := New(QueueFull, "larger than max").GRPCStatus().Err()
	if got := ReasonOf(sent); got != QueueFull {
		t.Errorf("%s", ReasonName(got))
	}
}
