package httpserver

import (
	"net/http"

	"github.com/lexilingo/modelgateway/server/internal/auth"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/reply"
	"github.com/lexilingo/modelgateway/server/internal/inflight"
	"github.com/lexilingo/modelgateway/server/internal/peers"
)

// admit gives requests their peer and their caller, and a place as long as they last.
// Callers without an API key share what their address may have. While a peer
// cancels more requests than its rate, those on its new connections wait, and
// those on connections on which it has cancelled some.
func admit(opts Options, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		peer := opts.Proxies.PeerOf(r.RemoteAddr, r.Header.Values(peers.Header))
		throttle, ok := r.Context().Value(throttleKey{}).(*inflight.Throttle)
		if !ok {
			throttle = opts.Cancels.Throttle(peer) // the connection has requests of others too
		}
		useSocketToken(r)
		key := opts.Authorizer.KeyID(r.Header.Values(auth.Header))
		r = r.WithContext(peers.WithKey(peers.With(r.Context(), peer), key))
		caller := peers.Caller(r.Context())
		if !opts.Calls.Take(caller, 1) {
			throttle.Count(1)
			w.Header().Set("Connection", "close") // a flood must open connections, whose number is bounded
			reply.Refuse(w, r, http.StatusTooManyRequests, inflight.TooManyCalls())
			return
		}
		defer opts.Calls.GiveBack(caller, 1)
		// One that has to wait counts from the beginning, so that the others after it
		// wait longer.
		waits := throttle.Wait() > 0
		if waits {
			throttle.Count(1)
		}
		throttle.Hold(r.Context().Done())
		if !waits || r.Context().Err() == nil {
			next.ServeHTTP(w, r)
		}
		cancelled := hasLeft(r)
		switch {
		case cancelled && !waits:
			throttle.Count(1)
		case !cancelled && waits:
			throttle.Count(-1)
		}
	})
}

// hasLeft reports whether the client of a request has not waited for its end.
func hasLeft(r *http.Request) bool {
	if r.Context().Err() != nil || r.ProtoMajor != 1 {
		return r.Context().Err() != nil
	}
	// net/http notices only what it reads.
	hungUp := inflight.HangupOf(r.Context())
	return hungUp != nil && hungUp()
}
