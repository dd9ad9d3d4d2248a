package server

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/auth"
)

// TestRevokedKeyEndsIdleCalls checks that calls and WebSockets of a revoked key end
// although nothing is sent on them.
func TestRevokedKeyEndsIdleCalls(t *testing.T) {
	g := startGuarded(t, speechModels, &auth.Key{Name: "leaves", Roles: auth.Roles()})
	ctx := g.as(t, "leaves")
	waits := map[string]func() error{}

	live, err := g.chat.StreamTranscribe(ctx)
	if err != nil {
		t.Fatal(err)
	}
	config := &gatewayv1.StreamTranscribeRequest_Config{Config: &gatewayv1.TranscriptionConfig{InterimResults: true}}
	audio := &gatewayv1.StreamTranscribeRequest_Audio{Audio: make([]byte, 320)}
	for _, m := range []*gatewayv1.StreamTranscribeRequest{{Payload: config}, {Payload: audio}} {
		if err := live.Send(m); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := live.Recv(); err != nil {
		t.Fatal(err)
	}
	waits["a transcription"] = func() error { return last(live.Recv()) }

	silent, err := g.chat.StreamTranscribe(ctx)
	if err != nil {
		t.Fatal(err)
	}
	waits["a transcription without a config"] = func() error { return last(silent.Recv()) }

	names, err := reflectionpb.NewServerReflectionClient(g.conn).ServerReflectionInfo(ctx)
	if err != nil {
		t.Fatal(err)
	}
	list := &reflectionpb.ServerReflectionRequest{MessageRequest: &reflectionpb.ServerReflectionRequest_ListServices{}}
	if err := names.Send(list); err != nil {
		t.Fatal(err)
	}
	if _, err := names.Recv(); err != nil {
		t.Fatal(err)
	}
	waits["reflection"] = func() error { return last(names.Recv()) }

	events, err := g.admin.WatchModels(ctx, &gatewayv1.WatchModelsRequest{Name: "qwen"})
	if err != nil {
		t.Fatal(err)
	}
	waits["events"] = func() (err error) {
		for err == nil {
			_, err = events.Recv()
		}
		return err
	}
	sockets := map[string]*websocket.Conn{}
	for _, path := range []string{"/v1/synthesize/ws", "/v1/transcribe/ws", "/v1/transcribe/ws?interim_results=true"} {
		conn, _, err := websocket.DefaultDialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(g.http, "http")+path,
			http.Header{"Authorization": {"Bearer " + g.keys["leaves"]}})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		sockets[path] = conn
	}

	if _, err := auth.RevokeKey(g.file, "leaves"); err != nil {
		t.Fatal(err)
	}
	for what, wait := range waits {
		if err := wait(); errs.ReasonOf(err) != errs.Unauthenticated {
			t.Errorf("%s: %v", what, err)
		}
	}
	for path, conn := range sockets {
		_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
		_, text, err := conn.ReadMessage()
		if err != nil || !strings.Contains(string(text), `"UNAUTHENTICATED"`) {
			t.Errorf("%s: %s, %v", path, text, err)
			continue
		}
		if _, _, err := conn.ReadMessage(); !websocket.IsCloseError(err, websocket.ClosePolicyViolation) {
			t.Errorf("%s: %v", path, err)
		}
	}
}
