package httpserver

import (
	"net"
	"net/http"
	"strconv"

	"github.com/lexilingo/modelgateway/server/internal/httpserver/pages"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/reply"
	"github.com/lexilingo/modelgateway/server/internal/peers"
)

// playgroundOr serves the playground where it is on, and elsewhere what other says.
// With credentials it is on everywhere: its calls need one. Without, it is on for the
// people of this machine only, that is, under a name of this machine on a loopback
// address: behind a proxy the server cannot know who looks, whether the proxy passes
// the name on or says only in a header for whom it asks.
func playgroundOr(keyed bool, page, other http.Handler) http.Handler {
	if keyed {
		return page
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if from, _ := r.Context().Value(reachKey{}).(reach); from == byThisMachine && isServed(r.Host, from, "", nil) && !isForwarded(r.Header) {
			page.ServeHTTP(w, r)
			return
		}
		other.ServeHTTP(w, r)
	})
}

// isForwarded reports whether a proxy says that it passes a request on.
func isForwarded(h http.Header) bool {
	for _, name := range []string{"Forwarded", "Via", peers.Header} {
		if _, ok := h[name]; ok {
			return true
		}
	}
	return false
}

// handlePlayground registers the playground. The root leads to it, or else to the
// documentation.
func (m routes) handlePlayground(keyed bool) error {
	page, err := pages.Playground()
	if err != nil {
		return err
	}
	off := http.HandlerFunc(reply.NotFound)
	m.handleGet(pages.PlaygroundPath, everyone, playgroundOr(keyed, page, off))
	m.handleGet("/ui", everyone, playgroundOr(keyed, http.RedirectHandler(pages.PlaygroundPath, http.StatusMovedPermanently), off))
	m.handleGet("/{$}", everyone, playgroundOr(keyed,
		http.RedirectHandler(pages.PlaygroundPath, http.StatusFound), http.RedirectHandler("/docs/", http.StatusFound)))
	return nil
}

// PlaygroundAddress returns the host and the port at which a browser on this machine
// finds the playground of a listener; empty if it is off there. keyed says that callers
// need credentials.
func PlaygroundAddress(addr net.Addr, keyed bool) string {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok || !keyed && !tcp.IP.IsLoopback() {
		return ""
	}
	if tcp.IP.IsUnspecified() || tcp.IP.Equal(net.IPv4(127, 0, 0, 1)) || tcp.IP.Equal(net.IPv6loopback) {
		return net.JoinHostPort("localhost", strconv.Itoa(tcp.Port))
	}
	return tcp.String()
}
