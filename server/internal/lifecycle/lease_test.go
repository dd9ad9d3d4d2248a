package lifecycle

import (
	"errors"
	"fmt"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/lexilingo/modelgateway/engines/errs"
)

// An engine that said what failed is alive: nobody waits for its end.
func TestAnsweredTellsTheEnginesWordFromABrokenStream(t *testing.T) {
	crashed := errs.New(errs.EngineCrashed, "the cloud is not available")
	for name, c := range map[string]struct {
		err  error
		want bool
	}{
		"the engine's word":          {crashed.GRPCStatus().Err(), true},
		"the same, wrapped":          {fmt.Errorf("recv: %w", crashed.GRPCStatus().Err()), true},
		"what the host made of it":   {crashed, false},
		"a broken connection":        {status.Error(codes.Unavailable, "the transport is closing"), false},
		"something else of the host": {errors.New("no room"), false},
	} {
		if got := answered(c.err); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
