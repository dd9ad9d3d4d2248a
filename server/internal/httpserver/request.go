package httpserver

import (
	"context"
	"net/http"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/reply"
)

// timeouts has the headers that state a deadline, with the values that their
// protocols allow.
var timeouts = []struct {
	header, want string
	valid        *regexp.Regexp
}{
	{"Grpc-Timeout", "at most 8 digits and a unit: H, M, S, m, u or n", regexp.MustCompile(`^[0-9]{1,8}[HMSmun]$`)},
	{"Connect-Timeout-Ms", "at most 10 digits", regexp.MustCompile(`^[0-9]{1,10}$`)},
}

// checkRequest refuses what no protocol can pass on: a path or a query that is not
// UTF-8, and a deadline that is not valid. The deadline 0 has passed, in every
// protocol.
func checkRequest(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isUTF8(r) {
			r.URL.Path = strings.ToValidUTF8(r.URL.Path, "\uFFFD")
			reply.Refuse(w, r, http.StatusBadRequest, errs.New(errs.InvalidRequest, "the path and the query must be UTF-8"))
			return
		}
		for _, t := range timeouts {
			value := r.Header.Get(t.header)
			switch {
			case value == "":
			case !t.valid.MatchString(value):
				reply.Refuse(w, r, http.StatusBadRequest, errs.New(errs.InvalidRequest, "%s: %q is not valid; it needs %s", t.header, value, t.want))
				return
			case strings.Trim(value, "0HMSmun") == "":
				reply.Refuse(w, r, http.StatusGatewayTimeout, errs.From(context.DeadlineExceeded))
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// isUTF8 reports whether the path and the query of a request are.
func isUTF8(r *http.Request) bool {
	if !utf8.ValidString(r.URL.Path) {
		return false
	}
	for name, values := range r.URL.Query() {
		if !utf8.ValidString(name + strings.Join(values, "")) {
			return false
		}
	}
	return true
}
