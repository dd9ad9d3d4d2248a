package httpserver

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/gorilla/websocket"
	"github.com/rs/cors"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/server/internal/config"
)

// sameOrigin refuses what a browser sends for a page of another origin, if that
// is not one of allowed. CORS does not: it keeps the page from reading the
// answer, not a form or a text/plain POST from taking effect. Programs that are
// no browsers send neither Origin nor Sec-Fetch-Site and are not affected.
func sameOrigin(cfg config.CORS, next http.Handler) (http.Handler, error) {
	protection := http.NewCrossOriginProtection()
	var patterns *cors.Cors // for "*" and "https://*.example.org", which the protection does not know
	for _, origin := range cfg.AllowedOrigins {
		if strings.Contains(origin, "*") {
			patterns = cors.New(cors.Options{AllowedOrigins: cfg.AllowedOrigins})
			continue
		}
		if err := protection.AddTrustedOrigin(origin); err != nil {
			return nil, err
		}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if patterns == nil || !patterns.OriginAllowed(r) {
			if err := protection.Check(withEffect(r)); err != nil {
				refuse(w, r, http.StatusForbidden, errs.New(errs.Forbidden,
					"pages of other origins may not call; cors.allowed_origins permits them").WithCause(err))
				return
			}
		}
		next.ServeHTTP(w, r)
	}), nil
}

// withEffect returns a request as the protection sees it: a GET is harmless to
// it, but one that opens a WebSocket is not, and CORS does not cover it at all.
func withEffect(r *http.Request) *http.Request {
	if !websocket.IsWebSocketUpgrade(r) {
		return r
	}
	r = r.WithContext(r.Context())
	r.Method = http.MethodPost
	return r
}

type loopbackKey struct{}

// withListener remembers whether only this machine reaches the listener.
func withListener(ctx context.Context, lis net.Listener) context.Context {
	addr, ok := lis.Addr().(*net.TCPAddr)
	return context.WithValue(ctx, loopbackKey{}, ok && addr.IP.IsLoopback())
}

// ownHost refuses requests to a loopback listener under a name that is not this
// machine's: a page's host that its owner has made to lead to 127.0.0.1 (DNS
// rebinding) is its own origin to the browser.
func ownHost(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// HTTP/1.0 has no Host; browsers always send one.
		if local, _ := r.Context().Value(loopbackKey{}).(bool); local && r.Host != "" && !loopbackHost(r.Host) {
			refuse(w, r, http.StatusForbidden, errs.New(errs.Forbidden,
				"this server answers only to localhost and loopback addresses, not to the host asked for"))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// loopbackHost tells whether a Host header names this machine.
func loopbackHost(hostport string) bool {
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
