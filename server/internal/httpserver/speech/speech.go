// Package speech serves audio over HTTP that is not JSON: recordings as bodies
// or as files of a form, speech as the body of an answer, and both over
// WebSockets. JSON requests are passed on to the REST API.
package speech

import (
	"bufio"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"google.golang.org/grpc"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/bodies"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/reply"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/rest"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/sockets"
	"github.com/lexilingo/modelgateway/server/internal/inflight"
)

// The paths of speech. All but the WebSockets are paths of the REST API too.
const (
	TranscribePath       = "/v1/transcribe"
	TranscribeSocketPath = "/v1/transcribe/ws"
	PronunciationPath    = "/v1/pronunciation"
	SynthesizePath       = "/v1/synthesize"
	SynthesizeSocketPath = "/v1/synthesize/ws"
)

// Handlers serves the paths of speech.
type Handlers struct {
	client  gatewayv1.ModelGatewayServiceClient
	api     *rest.API
	sockets *sockets.Set
	// unsent is the memory of speech that waits until its length is known.
	unsent *inflight.Pool
	// writeTimeout is how long a client may take to read one piece of speech. 0
	// means no limit.
	writeTimeout time.Duration
	// encodes reports whether speech can be compressed.
	encodes func() bool
}

// New returns the handlers over a connection to the gRPC server. encodes reports whether
// that can compress speech.
func New(conn *grpc.ClientConn, api *rest.API, set *sockets.Set, writeTimeout time.Duration, encodes func() bool) *Handlers {
	return &Handlers{
		client: gatewayv1.NewModelGatewayServiceClient(conn), api: api, sockets: set,
		unsent: inflight.NewPool(unsentBytes), writeTimeout: writeTimeout, encodes: encodes,
	}
}

// AnswerTypes returns the media types in which the paths answer, for the API
// description. The first of each path is the default.
func AnswerTypes() map[string][]string {
	return map[string][]string{
		TranscribePath: transcriptTypes,
		SynthesizePath: {wavType, pcmType, mp3Type, oggType, flacType, rest.JSONLines, rest.EventStream},
	}
}

// TranscribeBody is the body policy of TranscribePath: a recording is streamed,
// and the rest is JSON with the audio in it.
func TranscribeBody(r *http.Request) bodies.Policy {
	form, _ := formOf(r)
	if form == formAudio || form == formMultipart {
		return bodies.AudioStream(readAheadOf(form))
	}
	return bodies.Large
}

// isJSON reports whether a body is JSON. If the request does not say, the body
// decides: curl calls everything a form, or nothing.
func isJSON(r *http.Request) bool {
	form, _ := formOf(r)
	if form != formUndeclared {
		return form == formJSON
	}
	if r.URL.Query().Has("encoding") {
		return false // raw samples may begin with any byte
	}
	ahead := bufio.NewReader(r.Body)
	r.Body = struct {
		io.Reader
		io.Closer
	}{ahead, r.Body}
	for {
		c, _, err := ahead.ReadRune()
		if err != nil {
			return true // an empty or broken body: the JSON decoder says so
		}
		if !strings.ContainsRune(" \t\r\n\ufeff", c) { // space, or a byte-order mark
			_ = ahead.UnreadRune() // cannot fail after ReadRune
			if c == '{' {
				r.Header.Set("Content-Type", reply.JSON)
			}
			return c == '{'
		}
	}
}

// Headers that have in other answers what served_by has in JSON.
const (
	modelHeader    = "X-Modelgateway-Model"
	engineHeader   = "X-Modelgateway-Engine"
	fallbackHeader = "X-Modelgateway-Fallback"
	warningHeader  = "X-Modelgateway-Warning"
	timingHeader   = "Server-Timing"
)

// ServedByHeaders returns the names of the headers that say who answered.
func ServedByHeaders() []string {
	return []string{modelHeader, engineHeader, fallbackHeader, warningHeader, timingHeader}
}

// SetServedBy writes who answered into headers, or trailers.
func SetServedBy(header http.Header, served *gatewayv1.ServedBy) {
	header.Set(modelHeader, mime.QEncoding.Encode("utf-8", served.GetModel()))
	header.Set(engineHeader, mime.QEncoding.Encode("utf-8", served.GetEngine()))
	if served.GetFallback() {
		header.Set(fallbackHeader, strings.TrimPrefix(served.GetFallbackReason().String(), "FALLBACK_REASON_"))
	}
	if served.GetWarning() != "" {
		header.Set(warningHeader, mime.QEncoding.Encode("utf-8", served.GetWarning()))
	}
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	header.Set(timingHeader, fmt.Sprintf("queue;dur=%.1f, load;dur=%.1f, inference;dur=%.1f", ms(served.GetQueueDuration().AsDuration()),
		ms(served.GetLoadDuration().AsDuration()), ms(served.GetInferenceDuration().AsDuration())))
}
