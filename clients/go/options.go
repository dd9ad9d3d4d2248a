package modelgateway

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"math/rand/v2"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
)

const (
	// defaultTimeout is that of calls without a deadline, and liveTimeout that of calls
	// that last as long as someone speaks or listens.
	defaultTimeout = 2 * time.Minute
	liveTimeout    = time.Hour
	// maxMessageBytes is the size of the largest message that the server sends.
	maxMessageBytes = 68 << 20
)

// Option is a setting of a client.
type Option func(*settings)

type settings struct {
	key          string
	credentials  credentials.TransportCredentials
	timeout      time.Duration
	retry        Retry
	conversation string
	dial         []grpc.DialOption
}

func defaults() settings {
	return settings{
		key: os.Getenv(keyVariable), credentials: insecure.NewCredentials(),
		timeout: defaultTimeout, retry: Retry{Attempts: 3, MaxWait: 30 * time.Second},
	}
}

// WithAPIKey sends an API key or token with every call; the default is
// $MODELGATEWAY_API_KEY. Without TLS, everyone on the way can read it: use such a
// connection only within one machine.
func WithAPIKey(key string) Option { return func(s *settings) { s.key = key } }

// WithTLS connects with TLS; nil is the default configuration, with the system's
// certificate authorities.
func WithTLS(config *tls.Config) Option {
	return func(s *settings) { s.credentials = credentials.NewTLS(config) }
}

// WithTimeout is the time that a call has, with its retries, if its context has no
// deadline: 2 minutes by default; 0 is no limit. Streams of speech have an hour, and
// WatchModels has no limit.
func WithTimeout(d time.Duration) Option { return func(s *settings) { s.timeout = d } }

// WithRetry says when failed calls are retried. Fields that are 0 keep their defaults.
func WithRetry(r Retry) Option {
	return func(s *settings) {
		if r.Attempts != 0 {
			s.retry.Attempts = r.Attempts
		}
		if r.MaxWait != 0 {
			s.retry.MaxWait = r.MaxWait
		}
	}
}

// WithConversation is the default of [Conversation] for all calls.
func WithConversation(id string) Option { return func(s *settings) { s.conversation = id } }

// WithDialOptions adds options of gRPC, after those of this package.
func WithDialOptions(opts ...grpc.DialOption) Option {
	return func(s *settings) { s.dial = append(s.dial, opts...) }
}

// Retry says when a failed call is retried: only if nothing was received yet, if the
// server advises it or could not be reached, and if the wait fits into the deadline.
// A request whose engine crashed is retried once. Calls whose audio is a stream are not
// retried.
type Retry struct {
	// Attempts is their number in total, 3 by default; 1 turns retries off.
	Attempts int
	// MaxWait is the longest wait, 30 s by default. If the server advises a longer one,
	// the call fails.
	MaxWait time.Duration
}

// wait returns how long to wait before the next attempt, and whether there is one.
func (r Retry) wait(ctx context.Context, e *Error, attempt int) (time.Duration, bool) {
	if attempt >= r.Attempts || e.is(ErrEngineCrashed) && attempt > 1 { // the request may be the cause of the crash
		return 0, false
	}
	wait := e.RetryAfter
	if wait == 0 {
		if !e.unreachable() {
			return 0, false
		}
		wait = retryDelay(attempt)
	}
	// Jitter, so that clients that were refused together do not retry together.
	wait += time.Duration(rand.Int64N(int64(wait)/10 + 1)) //nolint:gosec // not a secret
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= wait {
		return 0, false
	}
	return wait, wait <= r.MaxWait
}

// retryDelay returns the wait after an attempt to which nobody answered.
func retryDelay(attempt int) time.Duration {
	return min(200*time.Millisecond<<min(attempt-1, 8), 2*time.Second)
}

// dialOptions returns the options of gRPC.
func (s settings) dialOptions() []grpc.DialOption {
	reconnect := grpc.ConnectParams{Backoff: backoff.DefaultConfig, MinConnectTimeout: 5 * time.Second}
	reconnect.Backoff.BaseDelay, reconnect.Backoff.MaxDelay = 200*time.Millisecond, 2*time.Second
	opts := []grpc.DialOption{
		grpc.WithTransportCredentials(s.credentials),
		grpc.WithConnectParams(reconnect),
		// A machine that is gone does not close its connections.
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: 10 * time.Second}),
		grpc.WithDisableRetry(), // this package follows the server's advice instead
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessageBytes)),
		grpc.WithChainUnaryInterceptor(s.unary),
		grpc.WithChainStreamInterceptor(s.stream),
	}
	if s.key != "" {
		opts = append(opts, grpc.WithPerRPCCredentials(apiKey(s.key)))
	}
	return append(opts, s.dial...)
}

type apiKey string

// GetRequestMetadata implements credentials.PerRPCCredentials.
func (k apiKey) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + string(k)}, nil
}

// RequireTransportSecurity implements credentials.PerRPCCredentials.
func (apiKey) RequireTransportSecurity() bool { return false }

// Headers by which a proxy chooses a server. The server itself does not read them.
const (
	affinityHeader = "mg-affinity" // the same for all calls of one conversation
	modelHeader    = "mg-model"    // the model that a call names
	endpointHeader = "mg-endpoint" // the server that has a session; in answers: who answered
)

type conversationKey struct{}

// Conversation returns a context whose calls belong to one conversation, named by any
// text. A proxy in front of several servers can send them to the same one, which has
// computed the beginning of the conversation already: they have the header mg-affinity,
// a hash of the id.
func Conversation(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, conversationKey{}, id)
}

// affinity returns the value of mg-affinity for a conversation. Every client of the
// project computes the same.
func affinity(conversation string) string {
	sum := sha256.Sum256([]byte(conversation))
	return hex.EncodeToString(sum[:16])
}
