package api

import (
	"context"
	"log/slog"
	"time"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/auth"
	"github.com/lexilingo/modelgateway/server/internal/lifecycle"
	"github.com/lexilingo/modelgateway/server/internal/quota"
	"github.com/lexilingo/modelgateway/server/internal/router"
	"github.com/lexilingo/modelgateway/server/internal/speechout"
	"google.golang.org/protobuf/types/known/durationpb"
)

// Router runs requests; see router.Router.
type Router interface {
	Run(ctx context.Context, req router.Request, sink router.Sink) (*gatewayv1.ServedBy, error)
	Breakers
}

// Breakers reports the state of the models' circuit breakers; see router.Router.
type Breakers interface {
	Breaker(model string) *gatewayv1.Breaker
}

// ModelStatus reports the state of the models; see lifecycle.Manager.
type ModelStatus interface {
	Models(ctx context.Context) ([]*gatewayv1.Model, error)
	Totals(ctx context.Context) (lifecycle.Totals, error)
}

// Inference implements ModelGatewayService: requests for models.
type Inference struct {
	gatewayv1.UnimplementedModelGatewayServiceServer

	router       Router
	models       ModelStatus
	taskMethods  map[string]string
	sessions     *sessions
	version      string
	instance     string
	draining     func() bool
	started      time.Time
	encoder      speechout.Encoder
	voiceSources []VoiceSource
	patience     time.Duration // how long an answer waits for the alignment of its words; 0 is no limit
	log          *slog.Logger
}

var _ gatewayv1.ModelGatewayServiceServer = (*Inference)(nil)

// InferenceOptions are what an Inference needs.
type InferenceOptions struct {
	// Router runs requests.
	Router Router
	// Models reports the state of the models.
	Models ModelStatus
	// TaskMethods maps the tasks that the configuration adds to their engine methods.
	TaskMethods map[string]string
	// Limiter has what callers may use.
	Limiter *quota.Limiter
	// Denied is told of requests that their caller may not make; see
	// auth.Authorizer.Denied. It may be nil.
	Denied func(*auth.Caller, error) error
	// Version of the server.
	Version string
	// Instance names this server among others.
	Instance string
	// Draining reports whether the server shuts down; nil: it never does.
	Draining func() bool
	// Encoder encodes speech.
	Encoder speechout.Encoder
	// SlowReaderTimeout is how long a client may take to read one message; 0 is no limit.
	// Speech waits up to a third of it for the alignment of its words.
	SlowReaderTimeout time.Duration
	// VoiceSources are the models that speak, in the order in which they are tried.
	VoiceSources []VoiceSource
	// Log gets the internal errors of alignments; nil discards them.
	Log *slog.Logger
}

// NewInference returns the service. Close must be called at its end.
func NewInference(opts InferenceOptions) *Inference {
	if opts.Draining == nil {
		opts.Draining = func() bool { return false }
	}
	if opts.Denied == nil {
		opts.Denied = func(_ *auth.Caller, err error) error { return err }
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	return &Inference{
		router:       authorized{limited{opts.Router, opts.Limiter}, opts.Denied},
		models:       opts.Models,
		taskMethods:  opts.TaskMethods,
		sessions:     newSessions(),
		version:      opts.Version,
		instance:     opts.Instance,
		draining:     opts.Draining,
		started:      time.Now(),
		encoder:      opts.Encoder,
		voiceSources: opts.VoiceSources,
		patience:     opts.SlowReaderTimeout / 3,
		log:          opts.Log,
	}
}

// Close ends open transcriptions and waits until they have ended.
func (s *Inference) Close() { s.sessions.close() }

// Uptime returns the time since NewInference.
func (s *Inference) Uptime() time.Duration { return time.Since(s.started) }

// Status implements gatewayv1.ModelGatewayServiceServer.
func (s *Inference) Status(ctx context.Context, _ *gatewayv1.StatusRequest) (*gatewayv1.StatusResponse, error) {
	t, err := s.models.Totals(ctx)
	if err != nil {
		return nil, err
	}
	models, err := s.models.Models(ctx)
	if err != nil {
		return nil, err
	}
	models = visible(ctx, models)
	for _, m := range models {
		m.Breaker = s.router.Breaker(m.GetName())
	}
	return &gatewayv1.StatusResponse{
		Version:           s.version,
		Instance:          s.instance,
		Uptime:            durationpb.New(s.Uptime()),
		TotalRequestCount: t.Requests,
		MemoryBudgetBytes: t.BudgetBytes,
		MemoryUsedBytes:   t.UsedBytes,
		CpuThreadsUsed:    int32(t.ThreadsUsed), //nolint:gosec // a number of threads
		CpuThreadsTotal:   int32(t.Threads),     //nolint:gosec // a number of threads
		Draining:          s.draining(),
		Models:            models,
	}, nil
}
