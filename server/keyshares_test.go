package server

import (
	"context"
	"net/http"
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/auth"
)

// A key has one share of the calls wherever its calls come from, over both ports. Other
// keys at the same address have theirs, and so have those who call without a key.
func TestSharesAreOfKeys(t *testing.T) {
	g := startGuarded(t, faultModels+"limits: {max_calls: 8}\n",
		&auth.Key{Name: "busy", Roles: auth.Roles()}, &auth.Key{Name: "other", Roles: auth.Roles()})
	ctx, cancel := context.WithCancel(g.as(t, "busy"))
	defer cancel()
	const share = 6
	for range share {
		stream, err := g.admin.WatchModels(ctx, &gatewayv1.WatchModelsRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Recv(); err != nil {
			t.Fatal(err)
		}
	}
	away := gatewayv1.NewModelGatewayServiceClient(connFrom(t, "127.0.0.2", g.GRPCAddr().String()))
	for what, client := range map[string]gatewayv1.ModelGatewayServiceClient{"the same address": g.chat, "another address": away} {
		_, err := client.Status(g.as(t, "busy"), &gatewayv1.StatusRequest{})
		checkStatus(t, err, codes.ResourceExhausted, errs.QueueFull, true)
		if _, err := client.Status(g.as(t, "other"), &gatewayv1.StatusRequest{}); err != nil {
			t.Errorf("another key at %s: %v", what, err)
		}
		if _, err := client.Status(t.Context(), &gatewayv1.StatusRequest{}); errs.ReasonOf(err) != errs.Unauthenticated {
			t.Errorf("no key at %s: %v", what, err)
		}
	}
	for key, want := range map[string]int{g.keys["busy"]: http.StatusTooManyRequests, g.keys["other"]: http.StatusOK, "": http.StatusUnauthorized} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, g.http+"/v1/status", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+key)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("over HTTP: %d, want %d", resp.StatusCode, want)
		}
	}
}
