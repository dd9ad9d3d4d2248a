package server

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// load loads a model and waits until it is ready.
func load(t *testing.T, r *running, model string, pin bool) {
	t.Helper()
	stream, err := r.admin.LoadModel(within(t, 20*time.Second), &gatewayv1.LoadModelRequest{Name: model, Pin: pin})
	for err == nil {
		var m *gatewayv1.LoadModelResponse
		if m, err = stream.Recv(); m.GetModel() != nil {
			return
		}
	}
	t.Fatal(err)
}

// occupy fills a model of concurrency 1 and its queue of 1. The returned function ends
// both requests.
func occupy(t *testing.T, r *running, model string) func() {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 2)
	for queued := range int32(2) { // the second waits in the queue
		go func() { done <- chatOf(model, stalls)(ctx, r) }()
		eventually(t, func() bool {
			resp, err := r.admin.GetModel(within(t, time.Second), &gatewayv1.GetModelRequest{Name: model})
			return err == nil && resp.GetModel().GetActiveCount() == 1 && resp.GetModel().GetQueuedCount() == queued
		})
	}
	return func() {
		cancel()
		<-done
		<-done
	}
}

// coolDown ends the cooldown of models that failed to load.
func coolDown(t *testing.T, r *running) {
	t.Helper()
	list, err := r.admin.ListModels(within(t, time.Second), &gatewayv1.ListModelsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range list.GetModels() {
		if m.GetState() == gatewayv1.ModelState_MODEL_STATE_FAILED {
			if _, err := r.admin.UnloadModel(within(t, 20*time.Second), &gatewayv1.UnloadModelRequest{Name: m.GetName()}); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// eventually polls a condition for which there is no event.
func eventually(t *testing.T, done func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	timeout := time.After(20 * time.Second)
	for !done() {
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatal("the condition is still false after 20 s")
		}
	}
}

func checkStatus(t *testing.T, err error, code codes.Code, reason errs.Reason, retry bool) {
	t.Helper()
	st := status.Convert(err)
	info, advice := details(st)
	if st.Code() != code || info.GetReason() != errs.ReasonName(reason) || info.GetDomain() != errs.Domain {
		// The client notices a deadline itself.
		if code != codes.DeadlineExceeded || st.Code() != code {
			t.Errorf("gRPC: %v, %v", err, info)
		}
	}
	if (advice != nil) != retry {
		t.Errorf("gRPC: RetryInfo %v", advice)
	}
	if strings.Contains(st.Message(), os.TempDir()) {
		t.Errorf("gRPC: the message names a path of the server: %s", st.Message())
	}
}

func details(st *status.Status) (info *errdetails.ErrorInfo, advice *errdetails.RetryInfo) {
	for _, d := range st.Details() {
		switch d := d.(type) {
		case *errdetails.ErrorInfo:
			info = d
		case *errdetails.RetryInfo:
			advice = d
		}
	}
	return info, advice
}

func checkHTTP(t *testing.T, resp *http.Response, body string, want int, code codes.Code, reason errs.Reason, retry bool) {
	t.Helper()
	var answer struct {
		Code    int
		Reason  string
		Message string
		Details []struct {
			Type   string `json:"@type"`
			Reason string
		}
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		t.Fatalf("REST: %v: %s", err, body)
	}
	if resp.StatusCode != want || answer.Code != int(code) || answer.Reason != errs.ReasonName(reason) || answer.Message == "" ||
		len(answer.Details) == 0 || answer.Details[0].Reason != answer.Reason {
		t.Errorf("REST: %d %s", resp.StatusCode, body)
	}
	seconds, err := strconv.Atoi(resp.Header.Get("Retry-After"))
	if retry && (err != nil || seconds < 1) || !retry && resp.Header.Get("Retry-After") != "" {
		t.Errorf("REST: Retry-After %q", resp.Header.Get("Retry-After"))
	}
}
