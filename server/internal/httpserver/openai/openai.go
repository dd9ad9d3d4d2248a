// Package openai serves the API of OpenAI, for programs that were written for it. It
// translates requests to calls of the typed API, and its answers back. docs/openai.md
// says what is translated, ignored and refused.
package openai

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/pages"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/reply"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/rest"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/sockets"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/speech"
)

// Options are what the handlers need.
type Options struct {
	// Conn is a connection to the gRPC server of this process.
	Conn *grpc.ClientConn
	// Speech transcribes and speaks.
	Speech *speech.Handlers
	// Sockets serves WebSockets.
	Sockets *sockets.Set
	// API is the REST API of the same server.
	API *rest.API
	// State has the models.
	State pages.State
	// Tasks lists the models of each task, primary first.
	Tasks map[string][]string
	// Aliases are other names of models and tasks.
	Aliases map[string]string
	// WriteTimeout is how long a client may take to read one event of a stream. 0
	// means no limit.
	WriteTimeout time.Duration
}

// Handlers serves the paths of OpenAI's API.
type Handlers struct {
	opts    Options
	client  gatewayv1.ModelGatewayServiceClient
	started time.Time
}

// New returns the handlers.
func New(opts Options) *Handlers {
	return &Handlers{opts: opts, client: gatewayv1.NewModelGatewayServiceClient(opts.Conn), started: time.Now()}
}

// newID returns a random id with a prefix.
func newID(prefix string) string { return prefix + strings.ToLower(rand.Text()) }

// answer answers with a value as JSON.
func answer(w http.ResponseWriter, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		reply.OpenAIError(w, err)
		return
	}
	reply.SetRequestID(w.Header())
	w.Header().Set("Content-Type", reply.JSON)
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	_, _ = w.Write(text) // fails only if the client is gone
}

// invalid is the error of a parameter.
func invalid(param, format string, args ...any) *errs.Error {
	return errs.New(errs.InvalidRequest, format, args...).With("fields", param)
}
