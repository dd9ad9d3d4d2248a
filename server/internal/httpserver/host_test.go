package httpserver

import (
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
)

// A server that listens on all addresses is the one in a container, whose port may be
// published on 127.0.0.1: names must be checked there too.
func TestHostIsCheckedOnEveryListener(t *testing.T) {
	machine, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(t.TempDir(), "s")
	for name, c := range map[string]struct {
		network, address string
		allowed          []string
		want             map[string]int
	}{
		"loopback": {"tcp", "127.0.0.1:0", nil, map[string]int{
			"localhost": 200, "127.0.0.1:8001": 200, "[::1]": 200, "10.0.0.1": 403, "evil.example": 403,
		}},
		"all addresses": {"tcp", "0.0.0.0:0", nil, map[string]int{
			"localhost": 200, "localhost:8001": 200, "127.0.0.1:8001": 200, "10.0.0.1": 200, "[2001:db8::1]:8001": 200, machine: 200,
			"evil.example": 403, "evil.example:8001": 403, "127.0.0.1.evil.example": 403, "evil.localhost": 403, "10.0.0.1.": 403,
		}},
		"allowed, loopback": {"tcp", "127.0.0.1:0", []string{"ai.example", "*.school.example"}, map[string]int{
			"ai.example": 200, "AI.example.:443": 200, "a.school.example": 200, "localhost": 200,
			"x.ai.example": 403, "school.example": 403, "notschool.example": 403, "evil.example": 403,
		}},
		"allowed, all addresses": {"tcp", "0.0.0.0:0", []string{"ai.example"}, map[string]int{
			"ai.example": 200, "10.0.0.1": 200, "evil.example": 403,
		}},
		"any":    {"tcp", "0.0.0.0:0", []string{"*"}, map[string]int{"evil.example": 200}},
		"socket": {"unix", socket, nil, map[string]int{"anything": 200}},
	} {
		t.Run(name, func(t *testing.T) {
			lis, err := net.Listen(c.network, c.address)
			if err != nil {
				t.Fatal(err)
			}
			server := &http.Server{
				Handler:     checkHost(c.allowed, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})),
				BaseContext: func(lis net.Listener) context.Context { return withListener(t.Context(), lis) },
			}
			go func() { _ = server.Serve(lis) }()
			defer func() { _ = server.Close() }()
			client := http.Client{Transport: &http.Transport{
				DisableKeepAlives: true,
				DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
					if c.network == "unix" {
						return (&net.Dialer{}).DialContext(ctx, "unix", c.address)
					}
					return (&net.Dialer{}).DialContext(ctx, "tcp4", lis.Addr().String())
				},
			}}
			for host, want := range c.want {
				req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://x/", http.NoBody)
				if err != nil {
					t.Fatal(err)
				}
				req.Host = host
				resp, err := client.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				_ = resp.Body.Close()
				if resp.StatusCode != want {
					t.Errorf("%s: %d, want %d", host, resp.StatusCode, want)
				}
			}
		})
	}
}
