package rest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/lexilingo/modelgateway/server/internal/config"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/bodies"
)

// Every REST route bounds bodies as its RPC does: 6 MiB are more than a small
// body has, and less than a large one.
func TestEveryRouteHasThePolicyOfItsRPC(t *testing.T) {
	conn, err := grpc.NewClient("passthrough:///unused", grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	api, err := NewAPI(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	limits := config.Limits{MaxRequestMB: 8}
	guard := bodies.NewGuard(limits, bodies.NewPool(limits), 0, api)
	body := strings.Repeat("x", 6<<20) // not JSON
	large := 0
	for _, m := range Methods() {
		if m.HTTPMethod != http.MethodPost {
			continue
		}
		path := regexp.MustCompile(`\{[^}]+\}`).ReplaceAllString(m.Template, "x")
		w := httptest.NewRecorder()
		guard.ServeHTTP(w, httptest.NewRequest(http.MethodPost, path, strings.NewReader(body)))
		want := http.StatusRequestEntityTooLarge
		if m.Policy == bodies.Large {
			want = http.StatusBadRequest
			large++
		}
		if w.Code != want {
			t.Errorf("%s: %d %s, want %d", path, w.Code, w.Body, want)
		}
	}
	if large != len(largeMethods) {
		t.Errorf("%d large methods, want %d: a name in largeMethods is wrong", large, len(largeMethods))
	}
}

func TestPoliciesOfRPCs(t *testing.T) {
	got := map[string]bodies.Policy{}
	for _, m := range Methods() {
		got[m.RPCPath[strings.LastIndex(m.RPCPath, "/")+1:]] = m.Policy
	}
	for name, want := range map[string]bodies.Policy{
		"Chat": bodies.Small, "Synthesize": bodies.Small, "LoadModel": bodies.Small, "OpenTranscription": bodies.Small,
		"Recognize": bodies.Large, "Pronunciation": bodies.Large, "PushAudio": bodies.Large, "ExecuteTask": bodies.Large, "Invoke": bodies.Large,
		"Transcribe": bodies.MessageStream, "StreamTranscribe": bodies.MessageStream,
	} {
		if p, ok := got[name]; !ok || p != want {
			t.Errorf("%s: %s, want %s", name, fmt.Sprint(p, ok), fmt.Sprint(want))
		}
	}
}
