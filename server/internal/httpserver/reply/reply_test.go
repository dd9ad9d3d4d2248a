package reply

import (
	"net/http/httptest"
	"testing"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// Reasons that no client can provoke yet have a status too.
func TestEveryReasonHasItsHTTPStatus(t *testing.T) {
	want := map[errs.Reason]int{
		errs.InvalidRequest: 400, errs.ConfigNotFirst: 400, errs.AudioUnreadable: 400,
		errs.ModelNotFound: 404, errs.TaskUnknown: 404,
		errs.ModelExceedsBudget: 400, errs.ModelFileMissing: 400, errs.ModelFileInvalid: 400, errs.ModelConfigInvalid: 400, errs.EngineUnavailable: 400,
		errs.MemoryBusy: 429, errs.QueueFull: 429, errs.RateLimited: 429,
		errs.EngineCrashed: 503, errs.LoadCooldown: 503, errs.Draining: 503, errs.SessionLost: 503,
		errs.DeadlineExceeded: 504, errs.Unauthenticated: 401, errs.Forbidden: 403,
		errs.Internal: 500, errs.Cancelled: 499,
	}
	if len(want) != len(gatewayv1.ErrorReason_name)-1 {
		t.Errorf("%d reasons of %d", len(want), len(gatewayv1.ErrorReason_name)-1)
	}
	for reason, code := range want {
		w := httptest.NewRecorder()
		Error(w, errs.New(reason, "x").WithRetryAfter(1500*time.Millisecond))
		if w.Code != code {
			t.Errorf("%s is %d, want %d", errs.ReasonName(reason), w.Code, code)
		}
		if w.Header().Get("Retry-After") != "2" {
			t.Errorf("Retry-After %q", w.Header().Get("Retry-After"))
		}
	}
}
