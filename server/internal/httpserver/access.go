package httpserver

import (
	"net/http"
	"strings"

	"github.com/gorilla/websocket"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/server/internal/auth"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/reply"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/sockets"
	"github.com/lexilingo/modelgateway/server/internal/quota"
)

// access says who may use a route.
type access struct {
	open  bool
	roles []auth.Role
}

var (
	// everyone needs no key: probes, and what the documentation shows.
	everyone = access{open: true}
	// anyKey needs a valid key. What it allows is decided by the rule of the RPC that
	// the route calls.
	anyKey = access{}
	// users may ask for names of models.
	users     = access{roles: []auth.Role{auth.Infer, auth.Observe, auth.Admin}}
	observers = access{roles: []auth.Role{auth.Observe, auth.Admin}}
	scrapers  = access{roles: []auth.Role{auth.Metrics, auth.Admin}}
)

// routes is a mux on which every path needs an access.
type routes struct {
	*http.ServeMux
	authorizer *auth.Authorizer
	limiter    *quota.Limiter
}

// Handle registers a path.
func (m routes) Handle(pattern string, who access, handler http.Handler) {
	m.ServeMux.Handle(pattern, m.require(who, handler))
}

// require refuses callers who may not use a route, before their body is read.
func (m routes) require(who access, next http.Handler) http.Handler {
	if who.open {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller, err := m.authorizer.Authenticate(r.Context(), r.Header.Values(auth.Header))
		if err != nil {
			refused := errs.From(m.authorizer.Denied(nil, err))
			if refused.Reason() == errs.Forbidden {
				reply.Refuse(w, r, http.StatusForbidden, refused)
				return
			}
			w.Header().Set("WWW-Authenticate", "Bearer")
			reply.Refuse(w, r, http.StatusUnauthorized, refused)
			return
		}
		if len(who.roles) > 0 {
			if err := caller.Check(who.roles...); err != nil {
				reply.Refuse(w, r, http.StatusForbidden, errs.From(m.authorizer.Denied(caller, err)))
				return
			}
		}
		r = r.WithContext(auth.WithCaller(r.Context(), caller))
		if account := m.limiter.Of(r.Context()); account.Limited() {
			w = &limitsWriter{ResponseWriter: w, account: account}
		}
		next.ServeHTTP(w, r)
	})
}

// useSocketToken moves the key of a browser's WebSocket to the header in which other
// clients send it. Browsers cannot set headers of WebSockets, and a key must not be in
// a URL, which ends up in logs: so they name it as a subprotocol.
func useSocketToken(r *http.Request) {
	if !websocket.IsWebSocketUpgrade(r) || r.Header.Get(auth.Header) != "" {
		return
	}
	var others []string
	for _, name := range websocket.Subprotocols(r) {
		key, ok := strings.CutPrefix(name, sockets.TokenProtocol)
		if !ok {
			key, ok = strings.CutPrefix(name, sockets.OpenAITokenProtocol)
		}
		if ok {
			r.Header.Set(auth.Header, auth.Scheme+key)
			continue
		}
		others = append(others, name)
	}
	r.Header.Del("Sec-Websocket-Protocol")
	if len(others) > 0 {
		r.Header.Set("Sec-Websocket-Protocol", strings.Join(others, ", "))
	}
}
