package gemini

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"google.golang.org/genai"

	"github.com/lexilingo/modelgateway/engines"
	"github.com/lexilingo/modelgateway/engines/errs"
)

const (
	dialTimeout = 10 * time.Second
	idleTimeout = 90 * time.Second

	// firstRetryDelay is doubled with each retry; as much again is added at
	// random.
	firstRetryDelay = 0.2 // seconds
	maxRetryDelay   = 4.0 // seconds

	// aliveInterval is how often a request under way counts as work done. Who
	// waits for another machine is not hung: the timeout ends the wait.
	aliveInterval = 5 * time.Second

	// maxTextAnswer and maxSoundAnswer bound the bytes of one answer.
	maxTextAnswer  = 8 << 20
	maxSoundAnswer = 64 << 20
)

// errTimeout is the cause of contexts that the account's timeout ended, and
// errTooLarge of answers that were cut off.
var (
	errTimeout  = errors.New("the API took too long")
	errTooLarge = errors.New("the answer is too large")
)

// client asks the API in one account's name.
type client struct {
	genai     *genai.Client
	transport *http.Transport
	options   Options
	model     string // in the configuration, for messages
	work      *engines.WorkCounter
	log       *slog.Logger
}

func newClient(ctx context.Context, o Options, model string, work *engines.WorkCounter) (*client, error) {
	base, err := url.Parse(o.BaseURL)
	if err != nil {
		return nil, err
	}
	c := &client{options: o, model: model, work: work, log: o.Logger.With("model", model)}
	c.transport = &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: dialTimeout}).DialContext,
		TLSHandshakeTimeout: dialTimeout,
		IdleConnTimeout:     idleTimeout,
		MaxIdleConnsPerHost: 16,
		ForceAttemptHTTP2:   true,
	}
	c.genai, err = genai.NewClient(ctx, &genai.ClientConfig{
		APIKey: o.APIKey,
		// Said outright, since the environment could turn it to another service.
		Backend: genai.BackendGeminiAPI,
		HTTPClient: &http.Client{
			Transport: &guard{base: base, next: c.transport},
			// A redirect is an answer like any other here. Followed, it would take
			// the key along.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		HTTPOptions: genai.HTTPOptions{BaseURL: o.BaseURL, RetryOptions: retryOptions(o.Retries)},
	})
	if err != nil {
		// The library's own words could hold the key.
		return nil, errs.New(errs.EngineUnavailable, "the Gemini client of model %q cannot be made; see docs/cloud-fallback.md", model)
	}
	return c, nil
}

func retryOptions(retries int) *genai.HTTPRetryOptions {
	return &genai.HTTPRetryOptions{
		Attempts:     genai.Ptr(int32(1 + max(0, retries))), //nolint:gosec // a few
		InitialDelay: genai.Ptr(firstRetryDelay),
		MaxDelay:     genai.Ptr(maxRetryDelay),
		Jitter:       genai.Ptr(firstRetryDelay),
		// Not 429: when to come back is the caller's to decide.
		HTTPStatusCodes: []int32{
			http.StatusRequestTimeout, http.StatusInternalServerError, http.StatusBadGateway,
			http.StatusServiceUnavailable, http.StatusGatewayTimeout,
		},
	}
}

// close gives back idle connections.
func (c *client) close() { c.transport.CloseIdleConnections() }

// begin makes the context of one request: bounded by the timeout, and counted
// as work while it lasts.
func (c *client) begin(ctx context.Context, maxAnswer int64) (context.Context, func()) {
	limit := &answerLimit{bytes: maxAnswer}
	ctx, cancel := context.WithTimeoutCause(context.WithValue(ctx, limitKey{}, limit), c.options.Timeout, errTimeout)
	done := make(chan struct{})
	go func() {
		tick := time.NewTicker(aliveInterval)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				c.work.Add(1)
			case <-done:
				return
			}
		}
	}()
	return ctx, func() { close(done); cancel() }
}

// generate asks for a whole answer.
func (c *client) generate(caller context.Context, model string, contents []*genai.Content, config *genai.GenerateContentConfig, maxAnswer int64) (*answer, error) {
	ctx, end := c.begin(caller, maxAnswer)
	defer end()
	config.AutomaticContinuation = genai.Ptr(false)
	resp, err := c.genai.Models.GenerateContent(ctx, model, contents, config)
	if err != nil {
		return nil, c.failure(caller, ctx, model, err)
	}
	c.work.Add(1)
	a := &answer{}
	a.add(resp)
	return a, nil
}

// stream asks for an answer piece by piece and hands over each text. What was
// handed over is in the answer as well.
func (c *client) stream(caller context.Context, model string, contents []*genai.Content, config *genai.GenerateContentConfig, emit func(text string) error) (*answer, error) {
	ctx, end := c.begin(caller, maxTextAnswer)
	defer end()
	config.AutomaticContinuation = genai.Ptr(false)
	a := &answer{}
	for resp, err := range c.genai.Models.GenerateContentStream(ctx, model, contents, config) {
		if err != nil { // the library would go on after some errors
			return nil, c.failure(caller, ctx, model, err)
		}
		c.work.Add(1)
		if text := a.add(resp); text != "" {
			if err := emit(text); err != nil {
				return nil, err
			}
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, c.failure(caller, ctx, model, err)
	}
	if a.finish == "" && a.blocked == "" {
		return nil, brokeOff()
	}
	return a, nil
}

// answerLimit bounds an answer. It remembers that it did, because the library
// may take what came before for the whole, and complain of its shape.
type answerLimit struct {
	bytes    int64
	exceeded atomic.Bool
}

// limitKey is the key of a context's *answerLimit.
type limitKey struct{}

// tooLarge tells whether the answer to a request went over its limit.
func tooLarge(ctx context.Context) bool {
	limit, ok := ctx.Value(limitKey{}).(*answerLimit)
	return ok && limit.exceeded.Load()
}

// guard is the last thing before the network: it lets requests go to the base
// URL alone, and bounds what comes back.
type guard struct {
	base *url.URL
	next http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (g *guard) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme != g.base.Scheme || req.URL.Host != g.base.Host {
		return nil, fmt.Errorf("a request to %s is not sent: the key is for %s", req.URL.Host, g.base.Host)
	}
	resp, err := g.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	limit, ok := req.Context().Value(limitKey{}).(*answerLimit)
	if !ok {
		limit = &answerLimit{bytes: maxTextAnswer}
	}
	resp.Body = &boundedBody{ReadCloser: resp.Body, limit: limit, left: limit.bytes}
	return resp, nil
}

// boundedBody ends with errTooLarge in place of more than left bytes.
type boundedBody struct {
	io.ReadCloser
	limit *answerLimit
	left  int64
}

// Read implements io.Reader.
func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		b.limit.exceeded.Store(true)
		return 0, errTooLarge
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.ReadCloser.Read(p)
	b.left -= int64(n)
	return n, err
}
