package httpserver

import (
	"context"
	"net/http"

	"github.com/lexilingo/modelgateway/server/internal/httpserver/bodies"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/openai"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/pages"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/reply"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/rest"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/sockets"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/speech"
	"github.com/lexilingo/modelgateway/server/internal/peers"
)

// newHandler returns the routes behind the checks that all requests pass.
func newHandler(ctx context.Context, opts Options, set *sockets.Set) (http.Handler, error) {
	mux, err := newRoutes(ctx, opts, set)
	if err != nil {
		return nil, err
	}
	guarded := bodies.NewGuard(opts.Limits, opts.Pool, opts.bodyReadTimeout, checkRequest(mux))
	checked, err := checkOrigin(opts.CORS, guarded)
	if err != nil {
		return nil, err
	}
	return commonHeaders(opts.Endpoint, checkHost(opts.AllowedHosts, allowCORS(opts.CORS, admit(opts, checked)))), nil
}

// newRoutes registers every path, each with who may use it, and with the policy that
// bounds its bodies.
func newRoutes(ctx context.Context, opts Options, set *sockets.Set) (http.Handler, error) {
	api, err := rest.NewAPI(ctx, opts.Conn)
	if err != nil {
		return nil, err
	}
	transcoder, err := rest.NewTranscoder(opts.GRPC, opts.Limits)
	if err != nil {
		return nil, err
	}
	openAPI, err := pages.OpenAPI(opts.Version, speech.AnswerTypes())
	if err != nil {
		return nil, err
	}
	mux := routes{http.NewServeMux(), opts.Authorizer, opts.Limiter}

	// The routes of the REST API have the policies of their RPCs. It also answers
	// paths that do not exist.
	mux.Handle("/v1/", anyKey, api)
	mux.Handle("/", anyKey, api)

	audio := speech.New(opts.Conn, api, set, opts.Limits.SlowReaderTimeout, opts.Encodes)
	mux.Handle("POST "+speech.TranscribePath, anyKey, bodies.Choose(speech.TranscribeBody, bodies.Decompress(http.HandlerFunc(audio.Transcribe))))
	mux.Handle("POST "+speech.PronunciationPath, anyKey, bodies.With(bodies.Large, bodies.Decompress(http.HandlerFunc(audio.Pronounce))))
	mux.Handle("POST "+speech.SynthesizePath, anyKey, bodies.With(bodies.Small, bodies.Decompress(http.HandlerFunc(audio.Synthesize))))
	mux.handleGet(speech.TranscribeSocketPath, anyKey, http.HandlerFunc(audio.TranscribeSocket))
	mux.handleGet(speech.SynthesizeSocketPath, anyKey, http.HandlerFunc(audio.SynthesizeSocket))

	mux.handleOpenAI(openai.New(openai.Options{
		Conn: opts.Conn, API: api, Speech: audio, Sockets: set, State: opts.State, Tasks: opts.Tasks, Aliases: opts.Aliases, WriteTimeout: opts.Limits.SlowReaderTimeout,
	}), bodies.With(bodies.Small, http.HandlerFunc(reply.NotFound)))

	for _, m := range rest.Methods() {
		mux.Handle(m.RPCPath, anyKey, bodies.With(m.Policy, bodies.Decompress(unbuffered(m.Streams, transcoder))))
	}
	for _, prefix := range rest.RPCPrefixes() { // methods that do not exist
		mux.Handle(prefix, anyKey, bodies.With(bodies.Small, transcoder))
	}

	mux.handleGet("/health", observers, pages.Health(opts.State))
	mux.handleGet(livePath, everyone, pages.Live())
	mux.handleGet(readyPath, everyone, pages.Ready(opts.State))
	mux.handleGet("/metrics", scrapers, opts.Metrics)
	mux.handleGet("/openapi.json", everyone, openAPI)
	mux.handleGet("/docs/", everyone, pages.Docs())
	mux.handleGet("/docs", everyone, http.RedirectHandler("/docs/", http.StatusMovedPermanently))
	return mux, mux.handlePlayground(opts.Authorizer.Required())
}

// handleOpenAI registers OpenAI's API: below its own path, and below /v1 beside the
// native API.
func (m routes) handleOpenAI(h *openai.Handlers, notFound http.Handler) {
	for _, base := range []string{reply.OpenAIBase, "/v1"} {
		m.handlePost(base+"/chat/completions", anyKey, bodies.With(bodies.Small, bodies.Decompress(http.HandlerFunc(h.ChatCompletions))))
		m.handlePost(base+"/responses", anyKey, bodies.With(bodies.Small, bodies.Decompress(http.HandlerFunc(h.Responses))))
		m.Handle(base+"/responses/", anyKey, bodies.With(bodies.Small, http.HandlerFunc(h.StoredResponses)))
		m.handleGet(base+"/realtime", anyKey, http.HandlerFunc(h.Realtime))
		m.handlePost(base+"/audio/speech", anyKey, bodies.With(bodies.Small, bodies.Decompress(http.HandlerFunc(h.Speech))))
		m.handlePost(base+"/audio/transcriptions", anyKey, bodies.With(openai.AudioBody(), bodies.Decompress(http.HandlerFunc(h.Transcriptions))))
		m.handlePost(base+"/audio/translations", anyKey, bodies.With(openai.AudioBody(), bodies.Decompress(http.HandlerFunc(h.Translations))))
	}
	m.handleGet(reply.OpenAIBase+"/audio/voices", anyKey, http.HandlerFunc(h.Voices))
	m.handleGet(reply.OpenAIBase+"/models", users, http.HandlerFunc(h.Models))
	m.handleGet(reply.OpenAIBase+"/models/{model}", users, http.HandlerFunc(h.Model))
	m.Handle("GET /v1/models", users, http.HandlerFunc(h.NativeModels))
	m.Handle("GET /v1/models/{model}", users, http.HandlerFunc(h.NativeModel))
	m.Handle("/openai/", anyKey, notFound)
}

// unbuffered serves an RPC whose answer may be a stream.
func unbuffered(stream bool, next http.Handler) http.Handler {
	if !stream {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reply.Unbuffered(w.Header())
		next.ServeHTTP(w, r)
	})
}

// handlePost serves POST of a path, and refuses other methods.
func (m routes) handlePost(path string, who access, handler http.Handler) {
	m.Handle("POST "+path, who, handler)
	m.Handle(path, who, bodies.With(bodies.Small, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reply.MethodNotAllowed(w, r, http.MethodPost)
	})))
}

// handleGet serves GET and HEAD of a path, and refuses other methods. A body is
// a small one.
func (m routes) handleGet(path string, who access, handler http.Handler) {
	m.Handle("GET "+path, who, bodies.With(bodies.Small, handler))
	m.Handle(path, who, bodies.With(bodies.Small, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reply.MethodNotAllowed(w, r, http.MethodGet, http.MethodHead)
	})))
}

// commonHeaders keeps browsers from guessing media types, and from showing pages of
// this server inside others, and says which server answers.
func commonHeaders(endpoint string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if endpoint != "" {
			w.Header().Set(peers.EndpointHeader, endpoint)
		}
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("X-Frame-Options", "DENY")
		next.ServeHTTP(w, r)
	})
}
