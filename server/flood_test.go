package server

import (
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/lexilingo/modelgateway/engines/errs"
)

// A worker that sends answers without end makes its request fail, and does not
// fill the memory of the server.
func TestFloodOfAnswersEndsUnaryCall(t *testing.T) {
	r := start(t, faultModels)
	const floods = `fault: {"fault":"flood_response"}`
	err := chatOf("qwen", floods)(within(t, 20*time.Second), r)
	checkStatus(t, err, codes.Internal, errs.Internal, false)
	req := chatBody("qwen", floods)
	resp, body := r.post(t, req.path, req.body)
	checkHTTP(t, resp, body, 500, codes.Internal, errs.Internal, false)
	eventually(t, func() bool { return threadsUsed(t, r) == 0 })
	if err := chatOf("qwen", "Hello")(within(t, 20*time.Second), r); err != nil {
		t.Errorf("after the floods: %v", err)
	}
}
