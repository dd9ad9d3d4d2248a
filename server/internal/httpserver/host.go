package httpserver

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/reply"
)

// reach says who reaches a listener.
type reach int

const (
	byThisMachine reach = iota // a loopback address
	byMachines                 // another address
	byUser                     // a Unix socket, which browsers cannot open
)

// The paths of the probes.
const (
	livePath  = "/healthz"
	readyPath = "/readyz"
)

type reachKey struct{}

// withListener stores in the context of a connection who reaches its listener.
func withListener(ctx context.Context, lis net.Listener) context.Context {
	r := byUser
	if addr, ok := lis.Addr().(*net.TCPAddr); ok {
		r = byMachines
		if addr.IP.IsLoopback() {
			r = byThisMachine
		}
	}
	return context.WithValue(ctx, reachKey{}, r)
}

// checkHost refuses requests under a name that is not this server's. It protects
// against DNS rebinding: a page whose owner lets its host resolve to the address of
// the server has the same origin as the server for the browser. Names of the server
// are localhost and those in allowed; a listener that other machines reach also has
// the name of this machine and all IP addresses, which need no DNS: behind a port
// that a container publishes, it cannot know its own. "*" allows every name.
// Proxies may ask for the health under any name: the answer is the same for
// everyone, and a page learns no more from it than that a server runs.
func checkHost(allowed []string, next http.Handler) http.Handler {
	if slices.Contains(allowed, "*") {
		return next
	}
	machine, _ := os.Hostname() // "" if it has none
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		from, _ := r.Context().Value(reachKey{}).(reach)
		// HTTP/1.0 has no Host header, but browsers always send one.
		if from != byUser && r.Host != "" && !isProbe(r) && !isServed(r.Host, from, machine, allowed) {
			reply.Refuse(w, r, http.StatusForbidden, errs.New(errs.Forbidden,
				"this server does not answer to requests for the host %.100q; add the name to allowed_hosts if callers use it", r.Host))
			return
		}
		next.ServeHTTP(w, r)
	})
}

func isProbe(r *http.Request) bool { return r.URL.Path == livePath || r.URL.Path == readyPath }

// isServed reports whether a Host header names this server.
func isServed(hostport string, from reach, machine string, allowed []string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if ip, err := netip.ParseAddr(host); err == nil && (from == byMachines || ip.Unmap().IsLoopback()) {
		return true
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host == "localhost" || from == byMachines && host == strings.ToLower(machine) {
		return true
	}
	return slices.ContainsFunc(allowed, func(name string) bool {
		name = strings.ToLower(strings.TrimSuffix(name, "."))
		if domain, ok := strings.CutPrefix(name, "*"); ok { // *.example.org
			return strings.HasSuffix(host, domain)
		}
		return host == name
	})
}
