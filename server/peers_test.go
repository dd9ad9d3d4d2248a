package server

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// However many connections a client has, on either port, all of them together may
// cancel as many calls as the limit allows, and others are served.
func TestConnectionsOfOneClientShareTheResets(t *testing.T) {
	const rate, connections, rounds = 20, 40, 20
	for _, port := range []string{"gRPC", "HTTP"} {
		t.Run(port, func(t *testing.T) {
			r := start(t, faultModels+"limits: {max_resets: 20, max_concurrent_streams: 4}\n")
			load(t, r, "qwen", true)
			address := r.GRPCAddr().String()
			if port == "HTTP" {
				address = r.HTTPAddr().String()
			}
			chat := &gatewayv1.ChatRequest{Messages: say("Hello")}
			began := time.Now()
			var counts []interface{ Load() int64 }
			for range connections {
				counts = append(counts, rapidResetFrom(t, "127.0.0.2", address, gatewayv1.ModelGatewayService_Chat_FullMethodName, chat))
			}
			var slowest time.Duration
			for range rounds {
				start := time.Now()
				if _, err := r.chat.Status(within(t, time.Minute), &gatewayv1.StatusRequest{}); err != nil {
					t.Fatal(err)
				}
				slowest = max(slowest, time.Since(start))
				if err := chatOf("qwen", "Hello")(within(t, time.Minute), r); err != nil {
					t.Fatal(err)
				}
			}
			got, err := r.admin.GetModel(within(t, time.Minute), &gatewayv1.GetModelRequest{Name: "qwen"})
			if err != nil {
				t.Fatal(err)
			}
			var sent int64
			for _, c := range counts {
				sent += c.Load()
			}
			const atOnce = 2*rate + connections // each connection is stopped after a call too many
			most := int64(rounds + atOnce + rate*(time.Since(began).Seconds()+1))
			if n := got.GetModel().GetRequestCount(); n > most {
				t.Errorf("the model got %d requests, want at most %d", n, most)
			}
			t.Logf("%d calls were sent, %d reached the model; the slowest status took %s", sent, got.GetModel().GetRequestCount()-rounds, slowest)
		})
	}
}

// Calls at once are limited for all connections of a client together, over both
// ports, and something is left for others.
func TestCallsAreLimited(t *testing.T) {
	for name, c := range map[string]struct {
		trusted string
		other   bool // whether the second client of the proxy is another one
	}{
		"without trusted proxies":    {"", false},
		"with another trusted proxy": {"trusted_proxies: [192.0.2.1]\n", false},
		"with a trusted proxy":       {"trusted_proxies: [127.0.0.0/8]\n", true},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, faultModels+c.trusted+"limits: {max_calls: 8}\n")
			const share = 6
			as := func(client string) context.Context {
				return metadata.AppendToOutgoingContext(within(t, time.Minute), "x-forwarded-for", "192.0.2.66, "+client)
			}
			for range share {
				stream, err := r.admin.WatchModels(as("192.0.2.7"), &gatewayv1.WatchModelsRequest{})
				if err != nil {
					t.Fatal(err)
				}
				if _, err := stream.Recv(); err != nil {
					t.Fatal(err)
				}
			}
			_, err := r.chat.Status(as("192.0.2.7"), &gatewayv1.StatusRequest{})
			checkStatus(t, err, codes.ResourceExhausted, errs.QueueFull, true)
			if code := r.statusAs(t, "192.0.2.7"); code != http.StatusTooManyRequests {
				t.Errorf("the same client over HTTP: %d", code)
			}
			_, err = r.chat.Status(as("192.0.2.8"), &gatewayv1.StatusRequest{})
			if (err == nil) != c.other {
				t.Errorf("another client: %v", err)
			}
			if code := r.statusAs(t, "192.0.2.8"); (code == http.StatusOK) != c.other {
				t.Errorf("another client over HTTP: %d", code)
			}
		})
	}
}

// statusAs asks for the status over HTTP, with the header of a proxy.
func (r *running) statusAs(t *testing.T, client string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(within(t, time.Minute), http.MethodGet, r.http+"/v1/status", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Forwarded-For", "192.0.2.66, "+client)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

// A client that cancels too many calls behind a trusted proxy is refused. The
// connection, which others use too, is read as before.
func TestResetsBehindAProxy(t *testing.T) {
	r := start(t, faultModels+"trusted_proxies: [127.0.0.1]\nlimits: {max_resets: 1}\n")
	watch := func(client string) error {
		ctx, cancel := context.WithCancel(metadata.AppendToOutgoingContext(within(t, time.Minute), "x-forwarded-for", client))
		defer cancel()
		stream, err := r.admin.WatchModels(ctx, &gatewayv1.WatchModelsRequest{})
		if err == nil {
			_, err = stream.Recv()
		}
		return err
	}
	var err error
	for range 100 {
		if err = watch("192.0.2.7"); err != nil {
			break
		}
	}
	checkStatus(t, err, codes.ResourceExhausted, errs.QueueFull, true)
	if err == nil || !strings.Contains(err.Error(), "cancelled too many") {
		t.Error(err)
	}
	for range 2 {
		if err := watch("192.0.2.8"); err != nil {
			t.Errorf("another client: %v", err)
		}
	}
}
