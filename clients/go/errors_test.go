package modelgateway_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	modelgateway "github.com/lexilingo/modelgateway/clients/go"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

func TestErrorHasReasonAndRetryDelay(t *testing.T) {
	_, address := record(t, 1, failing(t, codes.ResourceExhausted, "QUEUE_FULL", time.Hour))
	_, err := client(t, address).Chat(t.Context(), &gatewayv1.ChatRequest{})
	err = fmt.Errorf("while chatting: %w", err)
	e := modelgateway.ErrorOf(err)
	if e == nil || e.ReasonName() != "QUEUE_FULL" || e.RetryAfter != time.Hour || e.Metadata["model"] != "qwen" {
		t.Fatalf("%+v of %v", e, err)
	}
	var same *modelgateway.Error
	if !errors.As(err, &same) || same != e || e.Error() != "QUEUE_FULL: that is why" || status.Code(err) != codes.ResourceExhausted {
		t.Errorf("%v, %v", e, status.Code(err))
	}
}

// Every reason of the API has an error that errors.Is finds, and no other.
func TestReasons(t *testing.T) {
	all := []error{
		modelgateway.ErrInvalidRequest, modelgateway.ErrConfigNotFirst, modelgateway.ErrAudioUnreadable, modelgateway.ErrModelNotFound,
		modelgateway.ErrTaskUnknown, modelgateway.ErrModelExceedsBudget, modelgateway.ErrModelFileMissing, modelgateway.ErrModelFileInvalid,
		modelgateway.ErrModelConfigInvalid, modelgateway.ErrEngineUnavailable, modelgateway.ErrMemoryBusy, modelgateway.ErrQueueFull,
		modelgateway.ErrRateLimited, modelgateway.ErrEngineCrashed, modelgateway.ErrLoadCooldown, modelgateway.ErrDraining,
		modelgateway.ErrSessionLost, modelgateway.ErrDeadlineExceeded, modelgateway.ErrUnauthenticated, modelgateway.ErrForbidden,
		modelgateway.ErrInternal, modelgateway.ErrCancelled,
	}
	if len(all) != len(gatewayv1.ErrorReason_name)-1 {
		t.Errorf("%d errors for %d reasons", len(all), len(gatewayv1.ErrorReason_name)-1)
	}
	for number, name := range gatewayv1.ErrorReason_name {
		e := modelgateway.ErrorOf(failing(t, codes.FailedPrecondition, strings.TrimPrefix(name, "ERROR_REASON_"), 0))
		var matches []error
		for _, target := range all {
			if errors.Is(e, target) {
				matches = append(matches, target)
			}
		}
		if number != 0 && (len(matches) != 1 || !strings.HasSuffix(name, "_"+matches[0].Error())) || number == 0 && len(matches) > 0 {
			t.Errorf("%s is %v", name, matches)
		}
	}
}

func TestUnreachableServerHasNoReason(t *testing.T) {
	c := client(t, "unix:"+t.TempDir()+"/none.sock", modelgateway.WithRetry(modelgateway.Retry{Attempts: 1}))
	_, err := c.Chat(t.Context(), &gatewayv1.ChatRequest{})
	if e := modelgateway.ErrorOf(err); e == nil || e.Code != codes.Unavailable || e.ReasonName() != "" || !errors.Is(err, modelgateway.ErrUnreachable) {
		t.Errorf("%v", err)
	}
	if modelgateway.ErrorOf(errors.New("of no call")) != nil || modelgateway.ErrorOf(nil) != nil {
		t.Error("an error without a gRPC status has a description")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = c.Chat(ctx, &gatewayv1.ChatRequest{})
	if !errors.Is(err, context.Canceled) || !errors.Is(err, modelgateway.ErrCancelled) || errors.Is(err, modelgateway.ErrUnreachable) {
		t.Errorf("cancelled: %v", err)
	}
}
