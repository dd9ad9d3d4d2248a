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
	// longestWait is how long a server may ask to be left alone before that is
	// the caller's business.
	longestWait = 5 * time.Minute
	userAgent   = "modelgateway-pull"
)

// do makes a request and follows its redirects, each of them checked. With stay
// it stops at the first that leads to another host, and returns that answer.
// hops collects every answer's header.
func (c *Client) do(ctx context.Context, method string, u *url.URL, header http.Header, stay bool, hops *[]http.Header) (*http.Response, error) {
	for range maxRedirects + 1 {
		if err := c.hosts.check(u); err != nil {
			return nil, err
		}
		req, err := http.NewRequestWithContext(ctx, method, u.String(), nil)
		if err != nil {
			return nil, newError(Refused, "%s is no address", redact(u.String()))
		}
		req.Header = header.Clone()
		req.Header.Set("User-Agent", userAgent)
		req.Header.Set("Accept-Encoding", "identity") // lengths and ranges are of the file itself
		if c.opts.Token != "" && c.hosts.isHub(u) {
			req.Header.Set("Authorization", "Bearer "+c.opts.Token)
		}
		res, err := c.http.Do(req)
		if err != nil {
			return nil, connectionError(ctx, err, u)
		}
		if hops != nil {
			*hops = append(*hops, res.Header)
		}
		if !redirects(res.StatusCode) {
			return res, nil
		}
		next, err := res.Location()
		if err != nil {
			_ = res.Body.Close()
			return nil, newError(Broken, "%s redirects to nowhere", redact(u.String()))
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
	return nil, newError(Broken, "%s redirects in circles", redact(u.String()))
}

func redirects(code int) bool {
	switch code {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

// connectionError hides the address's query, which may be a key.
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

// statusError explains an answer that is neither the file nor a redirect.
func statusError(res *http.Response, what string) error {
	switch code := res.StatusCode; {
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		return &Error{Kind: Denied, Message: fmt.Sprintf("the hub gives %s only to some (%s)", what, res.Status),
			Advice: "If its page asks for it, accept its terms there, and set HF_TOKEN to a token of that account. The hub says the same of what does not exist."}
	case code == http.StatusNotFound || code == http.StatusGone:
		return &Error{Kind: NotFound, Message: fmt.Sprintf("the hub has no %s (%s)", what, res.Status),
			Advice: "It may have been moved or renamed: a newer version of this program may know where, and a mirror may lack it."}
	case code == http.StatusTooManyRequests || code == http.StatusRequestTimeout || code >= 500:
		return &transientError{cause: fmt.Errorf("the hub answers %s", res.Status), after: retryAfter(res.Header.Get("Retry-After"))}
	}
	return newError(Broken, "the hub answers %s for %s", res.Status, what)
}

// retryAfter reads seconds or a date; 0 is none.
func retryAfter(value string) int64 {
	if seconds, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64); err == nil {
		return max(seconds, 0)
	}
	if date, err := http.ParseTime(value); err == nil {
		return max(int64(time.Until(date).Seconds())+1, 0)
	}
	return 0
}

// retry calls op until it succeeds, fails for good, or fails too often without
// progress, which is a count that grows.
func (c *Client) retry(ctx context.Context, progress func() int64, op func() error) error {
	policy := backoff.NewExponentialBackOff()
	policy.InitialInterval, policy.MaxInterval, policy.Multiplier = time.Second, 30*time.Second, 2
	furthest, tries := progress(), 0
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
			furthest, tries = now, 0
			policy.Reset()
		}
		if tries++; tries >= c.opts.Attempts {
			return &Error{Kind: Unreachable, Message: fmt.Sprintf("the hub cannot be reached, after %d tries: %v", tries, again.cause), cause: again.cause}
		}
		if again.after > int64(longestWait/time.Second) {
			return &Error{Kind: Limited, Message: fmt.Sprintf("the hub asks to come back in %s", time.Duration(min(again.after, 1e6))*time.Second),
				Advice: "Run the command again then: it goes on where it stopped. With HF_TOKEN the hub's limits are wider.", cause: again.cause}
		}
		if err := c.opts.wait(ctx, max(policy.NextBackOff(), time.Duration(again.after)*time.Second)); err != nil {
			return err
		}
	}
}
