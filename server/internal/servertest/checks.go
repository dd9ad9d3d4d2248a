package servertest

import (
	"encoding/json"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/lexilingo/modelgateway/engines/errs"
)

// CheckStatus checks an error of gRPC. retry is whether it advises when to try
// again.
func CheckStatus(t *testing.T, err error, code codes.Code, reason errs.Reason, retry bool) {
	t.Helper()
	st := status.Convert(err)
	info, advice := Details(st)
	if st.Code() != code || info.GetReason() != errs.ReasonName(reason) || info.GetDomain() != errs.Domain {
		// The client's own clock may find first that a deadline has passed.
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

// Details returns the details of a status that the server sets.
func Details(st *status.Status) (info *errdetails.ErrorInfo, advice *errdetails.RetryInfo) {
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

// CheckHTTP checks an error of the REST API.
func CheckHTTP(t *testing.T, resp *http.Response, body string, want int, code codes.Code, reason errs.Reason, retry bool) {
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
