package bodies

import (
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/reply"
)

// Decompress serves a route whose bodies may have Content-Encoding: gzip. What they
// expand to is bounded as other bodies are. It belongs inside With or Choose.
func Decompress(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch encoding := strings.ToLower(strings.Join(r.Header.Values("Content-Encoding"), ",")); encoding {
		case "", "identity":
		case "gzip", "x-gzip":
			if b := bodyOf(w); b != nil {
				r = r.Clone(r.Context())
				r.Header.Del("Content-Encoding")
				r.ContentLength = -1
				r.Body = &gunzipBody{body: b, source: r.Body, zip: newGunzip(b.limit)}
			}
		default:
			w.Header().Set("Accept-Encoding", "gzip")
			reply.Refuse(w, r, http.StatusUnsupportedMediaType, errs.New(errs.InvalidRequest,
				"Content-Encoding %q is not supported; use gzip, or none", encoding))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// gunzipBody is a body that is decompressed while it is read.
type gunzipBody struct {
	body   *body
	source io.ReadCloser
	zip    *gunzip
	begun  bool
}

// Read implements io.Reader.
func (g *gunzipBody) Read(p []byte) (int, error) {
	if !g.begun {
		g.begun = true
		if err := g.zip.reset(g.source); err != nil {
			return 0, err // io.EOF if there is nothing
		}
	}
	n, err := g.zip.Read(p)
	if errors.Is(err, errTooLarge) {
		g.body.fail(tooLarge(g.body.limit))
	}
	if !g.body.reservation.Grow(g.body.memory(g.zip.out)) {
		g.body.fail(tooMany())
		return 0, g.body.failure.Load().err
	}
	return n, err
}

// Close implements io.Closer.
func (g *gunzipBody) Close() error { return g.source.Close() }
