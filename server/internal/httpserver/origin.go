package httpserver

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/websocket"
	"github.com/rs/cors"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/server/internal/config"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/reply"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/speech"
	"github.com/lexilingo/modelgateway/server/internal/peers"
	"github.com/lexilingo/modelgateway/server/internal/quota"
)

// checkOrigin refuses what a browser sends for a page of another origin, unless
// the configuration allows that origin. CORS alone does not: it keeps the page
// from reading the answer, but a form or a text/plain POST takes effect all the
// same. Programs other than browsers send neither Origin nor Sec-Fetch-Site and
// pass.
func checkOrigin(cfg config.CORS, next http.Handler) (http.Handler, error) {
	protection := http.NewCrossOriginProtection()
	var patterns *cors.Cors // for "*" and "https://*.example.org", which net/http does not know
	for _, origin := range cfg.AllowedOrigins {
		if strings.Contains(origin, "*") {
			patterns = cors.New(cors.Options{AllowedOrigins: cfg.AllowedOrigins})
			continue
		}
		if err := protection.AddTrustedOrigin(origin); err != nil {
			return nil, fmt.Errorf("cors.allowed_origins: %w", err)
		}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if patterns == nil || !patterns.OriginAllowed(r) {
			if err := protection.Check(withUpgradeAsPost(r)); err != nil {
				reply.Refuse(w, r, http.StatusForbidden, errs.New(errs.Forbidden,
					"pages of other origins may not call this server; add the origin to cors.allowed_origins").WithCause(err))
				return
			}
		}
		next.ServeHTTP(w, r)
	}), nil
}

// withUpgradeAsPost returns a request as CrossOriginProtection must see it: it
// lets every GET pass, but the GET that opens a WebSocket has effects, and CORS
// does not cover it.
func withUpgradeAsPost(r *http.Request) *http.Request {
	if !websocket.IsWebSocketUpgrade(r) {
		return r
	}
	r = r.WithContext(r.Context())
	r.Method = http.MethodPost
	return r
}

// allowCORS lets pages of the configured origins, and no others, read answers.
func allowCORS(cfg config.CORS, next http.Handler) http.Handler {
	if len(cfg.AllowedOrigins) == 0 {
		return next
	}
	return cors.New(cors.Options{
		AllowedOrigins: cfg.AllowedOrigins,
		AllowedMethods: []string{http.MethodGet, http.MethodPost},
		AllowedHeaders: []string{
			"Accept", "Authorization", "Content-Type",
			"Connect-Protocol-Version", "Connect-Timeout-Ms", "Connect-Content-Encoding",
			"Grpc-Timeout", "X-Grpc-Web", "X-User-Agent", peers.EndpointHeader,
			// For proxies, from the clients of this project.
			"Mg-Affinity", "Mg-Model",
			// Of the official clients for OpenAI's API.
			"Idempotency-Key", "OpenAI-Beta", "OpenAI-Organization", "OpenAI-Project", "X-Client-Request-Id",
			"X-Stainless-Arch", "X-Stainless-Async", "X-Stainless-Custom-Poll-Interval", "X-Stainless-Helper-Method", "X-Stainless-Lang",
			"X-Stainless-Os", "X-Stainless-Package-Version", "X-Stainless-Poll-Helper", "X-Stainless-Raw-Response", "X-Stainless-Read-Timeout",
			"X-Stainless-Retry-Count", "X-Stainless-Runtime", "X-Stainless-Runtime-Version", "X-Stainless-Timeout",
		},
		ExposedHeaders: append([]string{
			"Grpc-Status", "Grpc-Message", "Grpc-Status-Details-Bin", "Retry-After",
			"Content-Encoding", "Connect-Content-Encoding",
			"Retry-After-Ms", "X-Request-Id", "X-Should-Retry", peers.EndpointHeader,
		}, append(quota.FieldNames(), speech.ServedByHeaders()...)...),
		MaxAge: int((2 * time.Hour).Seconds()),
	}).Handler(next)
}
