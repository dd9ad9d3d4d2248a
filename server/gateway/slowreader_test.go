package gateway

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// A caller that stops reading fills every buffer between it and the worker, which
// then makes no progress. That is no hang: the worker lives, and the answer goes
// on when the caller reads on.
func TestSlowReaderDoesNotMakeItsWorkerLookHung(t *testing.T) {
	r := start(t, strings.Replace(faultModels, "memory_mb: 64, threads: 1", "memory_mb: 64, threads: 1, progress_timeout: 3s", 1))
	stream, err := r.chat.StreamChat(t.Context(), &gatewayv1.StreamChatRequest{
		Messages: []*gatewayv1.ChatMessage{{Role: gatewayv1.Role_ROLE_USER, Content: `fault: {"token_count": 400000}`}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(7 * time.Second) // longer than the pause and the progress timeout together
	pieces := 1
	for {
		_, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("after %d pieces: %v", pieces, err)
		}
		pieces++
	}
	if pieces < 400000 {
		t.Errorf("%d pieces, want all 400000", pieces)
	}
	got, err := r.admin.GetModel(t.Context(), &gatewayv1.GetModelRequest{Name: "qwen"})
	if err != nil {
		t.Fatal(err)
	}
	if got.GetModel().GetLoadCount() != 1 || got.GetModel().GetLastEviction() != nil {
		t.Errorf("the worker was replaced: %v", got.GetModel())
	}
}
