package reply

import (
	"net/http"
	"slices"
	"strings"

	"github.com/munnerz/goautoneg"

	"github.com/lexilingo/modelgateway/engines/errs"
)

// Negotiate returns the first of offers that suits the Accept header best: the
// first of all if the request has no Accept header, and "" if none suits.
func Negotiate(r *http.Request, offers ...string) string {
	header := strings.ToLower(strings.Join(r.Header.Values("Accept"), ","))
	if strings.TrimSpace(header) == "" {
		return offers[0]
	}
	clauses := goautoneg.ParseAccept(header)
	for _, c := range clauses {
		for _, offer := range offers {
			refused := slices.ContainsFunc(clauses, func(c goautoneg.Accept) bool { return c.Q == 0 && c.Type+"/"+c.SubType == offer })
			if c.Q > 0 && !refused && suits(c, offer) {
				return offer
			}
		}
	}
	return ""
}

func suits(c goautoneg.Accept, offer string) bool {
	kind, _, _ := strings.Cut(offer, "/")
	return c.Type+"/"+c.SubType == offer || c.SubType == "*" && (c.Type == "*" || c.Type == kind)
}

// NotAcceptable refuses a request whose Accept header no offer suits.
func NotAcceptable(w http.ResponseWriter, r *http.Request, offers ...string) {
	Refuse(w, r, http.StatusNotAcceptable, errs.New(errs.InvalidRequest, "the answer cannot be sent as Accept: %s; this path answers with %s",
		errs.Shorten(r.Header.Get("Accept")), strings.Join(offers, ", ")))
}

// Unbuffered sets the headers of an answer that is a stream: a proxy such as nginx
// would collect it, and a cache keep it.
func Unbuffered(header http.Header) {
	header.Set("X-Accel-Buffering", "no")
	header.Set("Cache-Control", "no-store")
}
