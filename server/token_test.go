package server

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/auth"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/sockets"
)

// TestAccessTokens is a back end that makes tokens for its app, and an app that uses
// them on every surface.
func TestAccessTokens(t *testing.T) {
	g := startGuarded(t, speechModels,
		&auth.Key{Name: "backend", Roles: []auth.Role{auth.Infer, auth.Observe}},
		&auth.Key{Name: "other", Roles: []auth.Role{auth.Infer}, Tasks: []string{"chat"}, Models: []string{"qwen"}})
	made, err := g.chat.CreateAccessToken(g.as(t, "backend"), &gatewayv1.CreateAccessTokenRequest{
		Subject: "user-7", Tasks: []string{"chat", "tts"}, Lifetime: durationpb.New(5 * time.Minute),
	})
	if err != nil {
		t.Fatal(err)
	}
	if left := time.Until(made.GetExpireTime().AsTime()); left < 3*time.Minute || left > 5*time.Minute {
		t.Errorf("the token ends in %s", left)
	}
	g.keys["app"] = made.GetToken()

	// Over REST, from JSON to JSON.
	resp, body := g.post(t, "/v1/access-tokens", `{"tasks":["chat"],"subject":"user-8"}`, "Content-Type", "application/json", "Authorization", "Bearer "+g.keys["backend"])
	var rest struct {
		Token      string    `json:"token"`
		ExpireTime time.Time `json:"expire_time"`
	}
	if err := json.Unmarshal([]byte(body), &rest); err != nil || resp.StatusCode != http.StatusOK || time.Until(rest.ExpireTime) < 5*time.Minute {
		t.Fatalf("%d, %s", resp.StatusCode, body)
	}
	g.keys["app-rest"] = rest.Token

	for _, app := range []string{"app", "app-rest"} {
		if _, err := g.chat.Chat(g.as(t, app), &gatewayv1.ChatRequest{Messages: say("Hello")}); err != nil {
			t.Errorf("gRPC as %s: %v", app, err)
		}
		for _, path := range []string{"/v1/chat", gatewayv1.ModelGatewayService_Chat_FullMethodName} {
			resp, body := g.post(t, path, userSays, "Content-Type", "application/json", "Connect-Protocol-Version", "1", "Authorization", "Bearer "+g.keys[app])
			if resp.StatusCode != http.StatusOK {
				t.Errorf("%s as %s: %d %s", path, app, resp.StatusCode, body)
			}
		}
	}
	dialer := websocket.Dialer{Subprotocols: []string{sockets.Protocol, sockets.TokenProtocol + g.keys["app"]}}
	url := "ws" + strings.TrimPrefix(g.http, "http") + "/v1/synthesize/ws"
	conn, _, err := dialer.DialContext(t.Context(), url, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.WriteMessage(websocket.TextMessage, []byte(`{"text":"Hello"}`)); err != nil {
		t.Fatal(err)
	}
	if kind, text, err := conn.ReadMessage(); err != nil || kind == websocket.TextMessage && strings.Contains(string(text), "error") {
		t.Errorf("WebSocket: %s, %v", text, err)
	}
	if _, resp, _ := websocket.DefaultDialer.DialContext(t.Context(), url+"?access_token="+g.keys["app"], nil); resp == nil || resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("a token in the URL: %v", resp)
	}

	for what, err := range map[string]error{
		"a task that the token does not allow": last(g.chat.Respond(g.as(t, "app"), &gatewayv1.RespondRequest{Text: "Hello"})),
		"a role that only the key has":         last(g.chat.Status(g.as(t, "app"), &gatewayv1.StatusRequest{})),
		"a token from a token":                 last(g.chat.CreateAccessToken(g.as(t, "app"), &gatewayv1.CreateAccessTokenRequest{})),
		"a task that the key does not allow":   last(g.chat.CreateAccessToken(g.as(t, "other"), &gatewayv1.CreateAccessTokenRequest{Tasks: []string{"respond"}})),
		"a model that the key does not allow":  last(g.chat.CreateAccessToken(g.as(t, "other"), &gatewayv1.CreateAccessTokenRequest{Models: []string{"whisper"}})),
		"a priority that it does not allow":    last(g.chat.CreateAccessToken(g.as(t, "other"), &gatewayv1.CreateAccessTokenRequest{MaxPriority: gatewayv1.Priority_PRIORITY_HIGH})),
		"a cloud that it does not allow":       last(g.chat.CreateAccessToken(g.as(t, "other"), &gatewayv1.CreateAccessTokenRequest{Cloud: true})),
	} {
		if errs.ReasonOf(err) != errs.Forbidden {
			t.Errorf("%s: %v", what, err)
		}
	}
	for what, req := range map[string]*gatewayv1.CreateAccessTokenRequest{
		"a long life":         {Lifetime: durationpb.New(61 * time.Minute)},
		"no life":             {Lifetime: durationpb.New(-time.Second)},
		"a long subject":      {Subject: strings.Repeat("a", 129)},
		"a control character": {Subject: "a\nb"},
		"too many models":     {Models: make([]string, 65)},
	} {
		if _, err := g.chat.CreateAccessToken(g.as(t, "backend"), req); errs.ReasonOf(err) != errs.InvalidRequest {
			t.Errorf("%s: %v", what, err)
		}
	}

	for name, credential := range g.keys {
		if strings.Contains(g.logs.String(), credential) {
			t.Errorf("the log has the credential of %s", name)
		}
	}
}

// TestAccessTokenEndsWithItsKey checks the streams and the calls of a revoked key's
// tokens, also of tokens that a restarted server has never seen.
func TestAccessTokenEndsWithItsKey(t *testing.T) {
	g := startGuarded(t, speechModels, &auth.Key{Name: "backend", Roles: []auth.Role{auth.Infer}}, &auth.Key{Name: "other", Roles: []auth.Role{auth.Infer}})
	for name, key := range map[string]string{"app": "backend", "app2": "backend", "other-app": "other"} {
		token, _, err := auth.Token{Subject: name}.Sign(g.keys[key], time.Now()) // without the server
		if err != nil {
			t.Fatal(err)
		}
		g.keys[name] = token
	}
	stream, err := g.chat.OpenTranscription(g.as(t, "app"), &gatewayv1.OpenTranscriptionRequest{Config: &gatewayv1.TranscriptionConfig{}})
	if err != nil {
		t.Fatal(err)
	}
	first, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	push := &gatewayv1.PushAudioRequest{SessionId: first.GetSessionId(), Audio: make([]byte, 320)}
	for _, stranger := range []string{"app2", "other-app", "backend"} {
		if _, err := g.chat.PushAudio(g.as(t, stranger), push); errs.ReasonOf(err) != errs.SessionLost {
			t.Errorf("audio of %s for the session of another user: %v", stranger, err)
		}
	}
	if _, err := g.chat.PushAudio(g.as(t, "app"), push); err != nil {
		t.Error(err)
	}
	if _, err := auth.RevokeKey(g.file, "backend"); err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = stream.Recv()
	}
	if errs.ReasonOf(err) != errs.Unauthenticated {
		t.Errorf("the stream of the app: %v", err)
	}
	if _, err := g.chat.Chat(g.as(t, "app2"), &gatewayv1.ChatRequest{Messages: say("Hello")}); errs.ReasonOf(err) != errs.Unauthenticated {
		t.Errorf("a call of the app: %v", err)
	}
	if _, err := g.chat.Chat(g.as(t, "other-app"), &gatewayv1.ChatRequest{Messages: say("Hello")}); err != nil {
		t.Errorf("a call of another app: %v", err)
	}
}

// TestNoAccessTokensWithoutKeys checks what a server without keys says, whatever the
// caller sends.
func TestNoAccessTokensWithoutKeys(t *testing.T) {
	r := start(t, faultModels)
	for _, header := range []string{"", "Bearer mg_aaaaaaaa_" + strings.Repeat("a", 52)} {
		ctx := metadata.AppendToOutgoingContext(within(t, time.Minute), "authorization", header)
		if _, err := r.chat.CreateAccessToken(ctx, &gatewayv1.CreateAccessTokenRequest{}); errs.ReasonOf(err) != errs.InvalidRequest {
			t.Error(err)
		}
	}
}
