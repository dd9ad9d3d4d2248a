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

	// firstRetryDelay is doubled with each retry. A random delay of up to
	// firstRetryDelay is added.
	firstRetryDelay = 0.2 // seconds
	maxRetryDelay   = 4.0 // seconds

	// aliveInterval is how often a running request counts as progress. A request
	// that waits for the API must not be taken for a hung one; the timeout ends
	// it.
	aliveInterval = 5 * time.Second

	// maxTextAnswer and maxSoundAnswer are the limits of one answer in bytes.
	maxTextAnswer  = 8 << 20
	maxSoundAnswer = 64 << 20
)

// errTimeout is the cause of a context that Options.Timeout ended. errTooLarge is
// the error of an answer over its limit.
var (
	errTimeout  = errors.New("the timeout passed")
	errTooLarge = errors.New("the answer is too large")
)

// client calls the API with one account's key.
type client struct {
	genai     *genai.Client
	transport *http.Transport
	options   Options
	model     string // name in the configuration, for messages
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
		// Set explicitly: otherwise environment variables could select Vertex AI.
		Backend: genai.BackendGeminiAPI,
		HTTPClient: &http.Client{
			Transport: &guard{base: base, next: c.transport},
			// A redirect is returned as the answer. Following it would send the key
			// to another address.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		HTTPOptions: genai.HTTPOptions{BaseURL: o.BaseURL, RetryOptions: retryOptions(o.Retries)},
	})
	if err != nil {
		// The library's error is dropped: its text could contain the key.
		return nil, errs.New(errs.EngineUnavailable, "the Gemini client of model %q cannot be created: check the settings (docs/cloud-fallback.md)", model)
	}
	return c, nil
}

func retryOptions(retries int) *genai.HTTPRetryOptions {
	return &genai.HTTPRetryOptions{
		Attempts:     genai.Ptr(int32(1 + max(0, retries))), //nolint:gosec // a few
		InitialDelay: genai.Ptr(firstRetryDelay),
		MaxDelay:     genai.Ptr(maxRetryDelay),
		Jitter:       genai.Ptr(firstRetryDelay),
		// 429 is not retried: the caller decides when to try again.
		HTTPStatusCodes: []int32{
			http.StatusRequestTimeout, http.StatusInternalServerError, http.StatusBadGateway,
			http.StatusServiceUnavailable, http.StatusGatewayTimeout,
		},
	}
}

// close closes idle connections.
func (c *client) close() { c.transport.CloseIdleConnections() }

// startRequest returns the context of one request, with the timeout and the limit
// of the answer, and a function that ends the request. Until then the request
// counts as progress.
func (c *client) startRequest(ctx context.Context, maxAnswer int64) (context.Context, func()) {
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

// generate returns a whole answer.
func (c *client) generate(caller context.Context, model string, contents []*genai.Content, config *genai.GenerateContentConfig, maxAnswer int64) (*answer, error) {
	resp, err := c.whole(caller, model, contents, config, maxAnswer)
	if err != nil {
		return nil, err
	}
	a := &answer{}
	a.add(resp)
	return a, nil
}

// whole returns the API's whole answer.
func (c *client) whole(caller context.Context, model string, contents []*genai.Content, config *genai.GenerateContentConfig, maxAnswer int64) (*genai.GenerateContentResponse, error) {
	ctx, end := c.startRequest(caller, maxAnswer)
	defer end()
	config.AutomaticContinuation = genai.Ptr(false)
	resp, err := c.genai.Models.GenerateContent(ctx, model, contents, config)
	if err != nil {
		return nil, c.failure(caller, ctx, model, err)
	}
	c.work.Add(1)
	return resp, nil
}

// stream receives an answer piece by piece and calls each with the pieces.
func (c *client) stream(caller context.Context, model string, contents []*genai.Content, config *genai.GenerateContentConfig, each func(*genai.GenerateContentResponse) error) error {
	ctx, end := c.startRequest(caller, maxTextAnswer)
	defer end()
	config.AutomaticContinuation = genai.Ptr(false)
	for resp, err := range c.genai.Models.GenerateContentStream(ctx, model, contents, config) {
		if err != nil { // stop here: the library continues after some errors
			return c.failure(caller, ctx, model, err)
		}
		c.work.Add(1)
		if err := each(resp); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return c.failure(caller, ctx, model, err)
	}
	return nil
}

// answerLimit limits the size of an answer. It records that the limit was exceeded,
// because the library may report the truncated answer as invalid JSON instead.
type answerLimit struct {
	bytes    int64
	exceeded atomic.Bool
}

// limitKey is the key of a context's *answerLimit.
type limitKey struct{}

// tooLarge reports whether the answer to a request exceeded its limit.
func tooLarge(ctx context.Context) bool {
	limit, ok := ctx.Value(limitKey{}).(*answerLimit)
	return ok && limit.exceeded.Load()
}

// guard is an http.RoundTripper that sends requests only to the base URL, limits the
// size of the answers, and brings streams into the form that the library reads.
type guard struct {
	base *url.URL
	next http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (g *guard) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme != g.base.Scheme || req.URL.Host != g.base.Host {
		return nil, fmt.Errorf("request to %s not sent: the API key is only for %s", req.URL.Host, g.base.Host)
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
	if isEventStream(req, resp) {
		resp.Body = newEventStream(resp.Body)
	}
	return resp, nil
}

// boundedBody returns errTooLarge after left bytes.
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
