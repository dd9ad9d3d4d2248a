package server

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/gorilla/websocket"
	"google.golang.org/grpc/metadata"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/auth"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/sockets"
	"github.com/lexilingo/modelgateway/server/internal/servertest"
)

// tokenIssuer is an OpenID Connect issuer. It returns its URL, and what signs its tokens
// with changed claims.
func tokenIssuer(t *testing.T) (url string, sign func(change map[string]any) string) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	var server *httptest.Server
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/keys" {
			_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: public, KeyID: "1", Use: "sig"}}})
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"issuer": server.URL, "jwks_uri": server.URL + "/keys"})
	}))
	t.Cleanup(server.Close)
	return server.URL, func(change map[string]any) string {
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.EdDSA, Key: private}, (&jose.SignerOptions{}).WithHeader("kid", "1"))
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now().Unix()
		token, err := jwt.Signed(signer).Claims(map[string]any{
			"iss": server.URL, "aud": "gateway", "sub": "user-7", "iat": now, "exp": now + 600, "plan": "gold",
		}).Claims(change).Serialize()
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
}

// issuerConfig accepts its tokens, beside API keys.
func issuerConfig(url string) string {
	return fmt.Sprintf(`
  issuers:
    - url: %s
      audience: gateway
      algorithms: [EdDSA]
      callers:
        - {name: gold, claims: {plan: gold}, roles: [infer], tasks: [chat, synthesize]}
        - {name: staff, claims: {plan: staff}, roles: [infer, observe, admin, metrics], max_priority: critical}
`, url)
}

// TestTokensOfAnIssuer uses the tokens of an issuer on every surface.
func TestTokensOfAnIssuer(t *testing.T) {
	url, sign := tokenIssuer(t)
	g := &guarded{keys: map[string]string{"gold": sign(nil), "staff": sign(map[string]any{"plan": "staff"})}}
	g.running = start(t, "auth:"+issuerConfig(url)+speechModels)
	if _, err := g.chat.Chat(g.as(t, "gold"), &gatewayv1.ChatRequest{Messages: say("Hello")}); err != nil {
		t.Error(err)
	}
	if _, err := g.chat.Status(g.as(t, "staff"), &gatewayv1.StatusRequest{}); err != nil {
		t.Error(err)
	}
	for what, err := range map[string]error{
		"another task": last(g.chat.Respond(g.as(t, "gold"), &gatewayv1.RespondRequest{Text: "Hello"})),
		"another role": last(g.chat.Status(g.as(t, "gold"), &gatewayv1.StatusRequest{})),
		"an access token from a token of the issuer": last(g.chat.CreateAccessToken(g.as(t, "gold"), &gatewayv1.CreateAccessTokenRequest{})),
	} {
		if errs.ReasonOf(err) != errs.Forbidden {
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, path := range []string{"/v1/chat", gatewayv1.ModelGatewayService_Chat_FullMethodName} {
		for token, want := range map[string]int{
			g.keys["gold"]: http.StatusOK, sign(map[string]any{"plan": "none"}): http.StatusForbidden,
			sign(map[string]any{"aud": "another"}): http.StatusUnauthorized, sign(map[string]any{"exp": 1}): http.StatusUnauthorized,
		} {
			resp, body := g.post(t, path, userSays, "Content-Type", "application/json", "Connect-Protocol-Version", "1", "Authorization", "Bearer "+token)
			if resp.StatusCode != want {
				t.Errorf("%s: %d %s, want %d", path, resp.StatusCode, body, want)
			}
		}
	}
	dialer := websocket.Dialer{Subprotocols: []string{sockets.Protocol, sockets.TokenProtocol + g.keys["gold"]}}
	conn, _, err := dialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(g.http, "http")+"/v1/synthesize/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
	req, _ := http.NewRequestWithContext(within(t, time.Minute), http.MethodGet, g.http+"/metrics", nil)
	req.Header.Set("Authorization", "Bearer "+g.keys["staff"])
	_, metrics := servertest.Do(t, req)
	if !strings.Contains(metrics, `key="gold"`) || strings.Contains(metrics, "user-7") {
		t.Error("the metrics have the name of a user: there can be any number of them")
	}
	for _, token := range g.keys {
		if strings.Contains(g.logs.String(), token) {
			t.Error("the log has a token")
		}
	}
}

// TestTokenOfAnIssuerEnds checks that a stream ends with its token.
func TestTokenOfAnIssuerEnds(t *testing.T) {
	url, sign := tokenIssuer(t)
	g := &guarded{keys: map[string]string{}}
	g.running = start(t, "auth:"+issuerConfig(url)+speechModels)
	ctx := metadata.AppendToOutgoingContext(within(t, time.Minute), "authorization", "Bearer "+sign(map[string]any{"plan": "staff", "exp": time.Now().Unix() + 3}))
	stream, err := g.admin.WatchModels(ctx, &gatewayv1.WatchModelsRequest{})
	for err == nil {
		_, err = stream.Recv()
	}
	if errs.ReasonOf(err) != errs.Unauthenticated || !strings.Contains(err.Error(), "expired") {
		t.Errorf("the stream ended with %v", err)
	}
}

// TestKeysBesideAnIssuer checks that a server can have both.
func TestKeysBesideAnIssuer(t *testing.T) {
	url, sign := tokenIssuer(t)
	g := startGuarded(t, issuerConfig(url)+faultModels, &auth.Key{Name: "key", Roles: auth.Roles()})
	g.keys["token"] = sign(nil)
	for _, name := range []string{"key", "token"} {
		if _, err := g.chat.Chat(g.as(t, name), &gatewayv1.ChatRequest{Messages: say("Hello")}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
