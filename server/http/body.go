package httpserver

import (
	"io"
	"net/http"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/server/config"
)

const (
	// bodyPatience is what a caller has for its body before its pace counts.
	bodyPatience = 30 * time.Second
	// bodyPace is the slowest that a body may come after that, in bytes a
	// second.
	bodyPace = 8 << 10
)

// limitBody bounds the size of bodies and the time that they may take. Bodies
// are JSON, in which audio is a third longer.
func limitBody(limits config.Limits, next http.Handler) http.Handler {
	limit := int64(limits.MaxRequestMB) << 20 * 4 / 3
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength > limit {
			e := errs.New(errs.InvalidRequest, "the body has %d bytes; at most %d are taken", r.ContentLength, limit)
			writeStatus(w, http.StatusRequestEntityTooLarge, e.GRPCStatus().Proto(), errs.ReasonName(e.Reason()))
			return
		}
		if r.Body != nil && r.Body != http.NoBody {
			r.Body = &pacedBody{
				ReadCloser: http.MaxBytesReader(w, r.Body, limit),
				control:    http.NewResponseController(w),
				start:      time.Now(),
			}
		}
		next.ServeHTTP(w, r)
	})
}

// pacedBody ends callers who send so slowly that they only hold the connection.
// The deadline is lifted at the body's end: what follows may take its time.
type pacedBody struct {
	io.ReadCloser
	control *http.ResponseController
	start   time.Time
	read    int64
}

func (b *pacedBody) Read(p []byte) (int, error) {
	earned := time.Duration(b.read) * time.Second / bodyPace
	// Connections that know no deadlines are not our listeners'.
	_ = b.control.SetReadDeadline(b.start.Add(bodyPatience + earned))
	n, err := b.ReadCloser.Read(p)
	b.read += int64(n)
	if err != nil {
		_ = b.control.SetReadDeadline(time.Time{})
	}
	return n, err
}

func (b *pacedBody) Close() error {
	_ = b.control.SetReadDeadline(time.Time{})
	return b.ReadCloser.Close()
}
