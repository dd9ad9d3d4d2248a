package httpserver

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/reply"
)

type loopbackKey struct{}

// withListener stores in the context of a connection whether only this machine
// reaches its listener.
func withListener(ctx context.Context, lis net.Listener) context.Context {
	addr, ok := lis.Addr().(*net.TCPAddr)
	return context.WithValue(ctx, loopbackKey{}, ok && addr.IP.IsLoopback())
}

// checkHost refuses requests to a loopback listener under a name that is not
// this machine's. It protects against DNS rebinding: a page whose owner lets its
// host resolve to 127.0.0.1 has the same origin as the server for the browser.
func checkHost(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// HTTP/1.0 has no Host header, but browsers always send one.
		if local, _ := r.Context().Value(loopbackKey{}).(bool); local && r.Host != "" && !isLoopback(r.Host) {
			reply.Refuse(w, r, http.StatusForbidden, errs.New(errs.Forbidden,
				"this server listens on a loopback address and answers only to requests for localhost or a loopback address"))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// isLoopback reports whether a Host header names this machine.
func isLoopback(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if strings.EqualFold(strings.TrimSuffix(host, "."), "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}
