package lifecycle

import (
	"errors"
	"fmt"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/lexilingo/modelgateway/engines/errs"
)

// An engine that reported an error is alive: its exit is not waited for.
func TestAnsweredDistinguishesEngineErrorsFromBrokenStreams(t *testing.T) {
	crashed := errs.New(errs.EngineCrashed, "the cloud is not available")
	for name, c := range map[string]struct {
		err  error
		want bool
	}{
		"an error of the engine":    {crashed.GRPCStatus().Err(), true},
		"the same, wrapped":         {fmt.Errorf("recv: %w", crashed.GRPCStatus().Err()), true},
		"an error made by the host": {crashed, false},
		"a broken connection":       {status.Error(codes.Unavailable, "the transport is closing"), false},
		"another error of the host": {errors.New("no room"), false},
	} {
		if got := answered(c.err); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
