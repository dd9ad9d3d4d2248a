package modelgateway_test

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// proxy is in front of several servers: calls go to the one that their mg-endpoint
// names, if it lives, and others in turn.
type proxy struct {
	server  *httptest.Server
	address string

	mu    sync.Mutex
	alive []*gateway
	turn  int
	calls []proxied
}

// proxied is a call that passed the proxy.
type proxied struct{ method, to, asked string }

func startProxy(t *testing.T, servers ...*gateway) *proxy {
	t.Helper()
	p := &proxy{alive: servers}
	both := new(http.Protocols)
	both.SetUnencryptedHTTP2(true)
	forward := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: p.choose(r.In)})
		},
		Transport:     &http.Transport{Protocols: both},
		FlushInterval: -1,
		ErrorHandler:  func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusServiceUnavailable) },
	}
	p.server = httptest.NewUnstartedServer(forward)
	p.server.Config.Protocols = both
	p.server.Start()
	t.Cleanup(p.server.Close)
	p.address = strings.TrimPrefix(p.server.URL, "http://")
	return p
}

// choose returns the address for a call.
func (p *proxy) choose(r *http.Request) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	asked := r.Header.Get("Mg-Endpoint")
	to := p.alive[p.turn%len(p.alive)]
	for _, s := range p.alive {
		if s.name == asked {
			to = s
		}
	}
	if to.name != asked {
		p.turn++
	}
	p.calls = append(p.calls, proxied{r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:], to.name, asked})
	return to.address
}

// kill ends a server without any warning, and notices it.
func (p *proxy) kill(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, s := range p.alive {
		if s.name == name {
			p.alive = append(p.alive[:i:i], p.alive[i+1:]...)
			s.end()
			return
		}
	}
}

// of returns the calls of a method.
func (p *proxy) of(method string) []proxied {
	p.mu.Lock()
	defer p.mu.Unlock()
	var of []proxied
	for _, c := range p.calls {
		if c.method == method {
			of = append(of, c)
		}
	}
	return of
}
