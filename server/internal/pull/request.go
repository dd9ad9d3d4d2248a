package pull

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
)

const (
	maxRedirects = 8
	// maxWait is the longest wait that a server can ask for. If it asks for more,
	// the pull fails.
	maxWait   = 5 * time.Minute
	userAgent = "modelgateway-pull"
)

// do makes a request and follows redirects, after it has checked each target. With
// stay, it returns the first redirect to another host instead of following it. hops
// collects the header of every response.
func (c *Client) do(ctx context.Context, method string, u *url.URL, header http.Header, stay bool, hops *[]http.Header) (*http.Response, error) {
	for range maxRedirects + 1 {
		if err := c.hosts.check(u); err != nil {
			return nil, err
		}
		req, err := http.NewRequestWithContext(ctx, method, u.String(), nil)
		if err != nil {
			return nil, newError(Refused, "%s is not a URL", redact(u.String()))
		}
		req.Header = header.Clone()
		req.Header.Set("User-Agent", userAgent)
		req.Header.Set("Accept-Encoding", "identity") // so that lengths and ranges refer to the file itself
		if c.opts.Token != "" && c.hosts.isHub(u) {
			req.Header.Set("Authorization", "Bearer "+c.opts.Token)
		}
		res, err := c.http.Do(req)
		if err != nil {
			return nil, connectionError(ctx, err, u)
		}
		c.reached.Store(true)
		if hops != nil {
			*hops = append(*hops, res.Header)
		}
		if !redirects(res.StatusCode) {
			return res, nil
		}
		next, err := res.Location()
		if err != nil {
			_ = res.Body.Close()
			return nil, newError(Broken, "%s redirects without a valid target", redact(u.String()))
		}
		if stay && next.Host != u.Host {
			if err := c.hosts.check(next); err != nil {
				_ = res.Body.Close()
				return nil, err
			}
			return res, nil
		}
		_ = res.Body.Close()
		u = next
	}
	return nil, newError(Broken, "%s redirects too often", redact(u.String()))
}

func redirects(code int) bool {
	switch code {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

// connectionError leaves out the query of the URL, which may contain a key.
func connectionError(ctx context.Context, err error, u *url.URL) error {
	if errors.Is(context.Cause(ctx), errStalled) {
		return transient(errStalled)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	return transient(fmt.Errorf("%s: %w", u.Host, err))
}

// statusError explains a response that is neither the file nor a redirect.
func statusError(res *http.Response, what string) error {
	switch code := res.StatusCode; {
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		return &Error{Kind: Denied, Message: fmt.Sprintf("the hub denies access to %s (%s)", what, res.Status),
			Advice: "If its page on the hub asks you to accept terms, accept them there and set HF_TOKEN to a token of that account. The hub gives the same answer if the file does not exist."}
	case code == http.StatusNotFound || code == http.StatusGone:
		return &Error{Kind: NotFound, Message: fmt.Sprintf("the hub has no %s (%s)", what, res.Status),
			Advice: "It may have been moved or renamed: try a newer version of this program. A mirror may also be incomplete."}
	case code == http.StatusTooManyRequests || code == http.StatusRequestTimeout || code >= 500:
		return &transientError{cause: fmt.Errorf("the hub answers %s", res.Status), after: retryAfter(res.Header.Get("Retry-After"))}
	}
	return newError(Broken, "the hub answers %s for %s", res.Status, what)
}

// retryAfter parses a number of seconds or a date. It returns 0 for other values.
func retryAfter(value string) int64 {
	if seconds, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64); err == nil {
		return max(seconds, 0)
	}
	if date, err := http.ParseTime(value); err == nil {
		return max(int64(time.Until(date).Seconds())+1, 0)
	}
	return 0
}

// retry calls op until it succeeds, fails with an error that is not transient, or
// fails too often while the count that progress returns does not grow.
func (c *Client) retry(ctx context.Context, progress func() int64, op func() error) error {
	policy := backoff.NewExponentialBackOff()
	policy.InitialInterval, policy.MaxInterval, policy.Multiplier = time.Second, 30*time.Second, 2
	furthest, attempts := progress(), 0
	for {
		err := op()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var again *transientError
		if !errors.As(err, &again) {
			return err
		}
		if now := progress(); now > furthest {
			furthest, attempts = now, 0
			policy.Reset()
		}
		most := c.attempts()
		if attempts++; attempts >= most {
			return &Error{Kind: Unreachable, Message: fmt.Sprintf("cannot reach the hub after %d attempts: %v", attempts, again.cause), cause: again.cause}
		}
		if again.after > int64(maxWait/time.Second) {
			return &Error{Kind: Limited, Message: fmt.Sprintf("the hub limits requests and asks to wait for %s", time.Duration(min(again.after, 1e6))*time.Second),
				Advice: "Run the command again after that to resume the download. With HF_TOKEN set, the hub allows more requests.", cause: again.cause}
		}
		pause := max(policy.NextBackOff(), time.Duration(again.after)*time.Second)
		c.opts.Notice(fmt.Sprintf("%v; attempt %d of %d follows in %s", again.cause, attempts+1, most, pause.Round(time.Second)))
		if err := c.opts.wait(ctx, pause); err != nil {
			return err
		}
	}
}

// attempts returns how often a request may fail in a row. A server that has never
// answered is probably out of reach, so the user is told soon.
func (c *Client) attempts() int {
	switch {
	case c.reached.Load():
		return c.opts.Attempts
	case c.alternatives:
		return min(2, c.opts.Attempts)
	}
	return min(c.opts.Attempts, max(2, c.opts.Attempts/2))
}
