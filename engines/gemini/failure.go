package gemini

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"

	"google.golang.org/genai"

	"github.com/lexilingo/modelgateway/engines/errs"
)

const (
	// maxWord and maxText limit, in characters, what error messages quote from
	// the API: a name or a sentence.
	maxWord = 64
	maxText = 300

	// dailyRetry is the minimum retry delay if the daily quota is used up. The
	// API itself advises seconds.
	dailyRetry = time.Hour

	// quotaRetry is the retry delay if the API advises none.
	quotaRetry = 30 * time.Second

	// maxRetryAdvice is the maximum of the retry delay that the API advises.
	maxRetryAdvice = 24 * time.Hour
)

// interrupted returns the error for an answer that stopped before its end.
func interrupted() error {
	return errs.New(errs.EngineCrashed, "Gemini's answer was interrupted: try again")
}

// failure converts an error of the library. It does not quote the library's text,
// which may contain texts of users, whole answers, or the key. It quotes the API's
// message only for a request that the API refused.
func (c *client) failure(caller, ctx context.Context, model string, err error) error {
	if caller.Err() != nil {
		return caller.Err()
	}
	if deadline, ok := caller.Deadline(); ok && !time.Now().Before(deadline) {
		return context.DeadlineExceeded // a dial may end shortly before its context
	}
	var refused genai.APIError
	var network net.Error
	var address *url.Error
	switch {
	case errors.Is(context.Cause(ctx), errTimeout):
		return errs.New(errs.DeadlineExceeded, "Gemini did not answer within gemini.timeout (%s): try again, or raise the timeout", c.options.Timeout)
	case tooLarge(ctx):
		return errs.New(errs.Internal, "Gemini's answer is larger than the server accepts: send a smaller request")
	case errors.As(err, &refused):
		return c.refused(model, refused)
	case errors.As(err, &address), errors.As(err, &network):
		return errs.New(errs.EngineCrashed, "Gemini cannot be reached (%s): check the network and the proxy, then try again",
			c.sanitize(networkError(err), maxText))
	default: // an answer that is not JSON, or a stream that ended early
		return interrupted()
	}
}

// networkError returns the text of a network error without the URL.
func networkError(err error) string {
	var address *url.Error
	if errors.As(err, &address) {
		err = address.Err
	}
	return err.Error()
}

// refused converts and logs an error status of the API.
func (c *client) refused(model string, e genai.APIError) error {
	details := detailsOf(e)
	status := c.sanitize(e.Status, maxWord)
	err := c.refusedFor(model, e, details, status)
	level := slog.LevelDebug
	if err.Reason() == errs.EngineUnavailable {
		level = slog.LevelWarn // the operator has to fix the account or the settings
	}
	c.log.Log(context.Background(), level, "Gemini refused a request", "http_status", e.Code, "status", status,
		"reason", c.sanitize(details.reason, maxWord), "error_reason", errs.ReasonName(err.Reason()))
	return err
}

func (c *client) refusedFor(model string, e genai.APIError, details details, status string) *errs.Error {
	switch {
	case e.Code == http.StatusUnauthorized, strings.HasPrefix(details.reason, "API_KEY_"), isKeyError(e):
		return errs.New(errs.EngineUnavailable, "Gemini rejected the API key: set GEMINI_API_KEY to a valid key").
			With("http_status", "401")
	case e.Code == http.StatusForbidden:
		return errs.New(errs.EngineUnavailable,
			"Gemini does not allow this request with the API key in GEMINI_API_KEY (%s): check the key's restrictions and the account", orStatus(c.sanitize(details.reason, maxWord), status))
	case e.Code == http.StatusNotFound:
		return errs.New(errs.EngineUnavailable,
			"Gemini has no model %q for this task: change models.%s.parameters.%s", model, c.model, c.parameterOf(model)).
			With("parameter", c.parameterOf(model))
	case e.Code == http.StatusTooManyRequests:
		return c.quota(details)
	case e.Code == http.StatusRequestEntityTooLarge:
		return errs.New(errs.InvalidRequest, "the request is too large for Gemini: send it in smaller parts")
	case e.Code == http.StatusBadRequest && e.Status == "FAILED_PRECONDITION":
		return errs.New(errs.EngineUnavailable, "Gemini cannot be used from this location or with this account: %s", c.sanitize(e.Message, maxText))
	case e.Code == http.StatusBadRequest:
		return errs.New(errs.InvalidRequest, "Gemini refused the request: %s", c.sanitize(e.Message, maxText))
	case e.Code >= 300 && e.Code < 400:
		return errs.New(errs.EngineUnavailable,
			"the address of Gemini redirects to another, to which the API key is not sent: set gemini.base_url to the final address")
	case e.Code >= 500, e.Code == http.StatusRequestTimeout:
		return errs.New(errs.EngineCrashed, "Gemini is not available (HTTP %d %s): try again", e.Code, status)
	default:
		return errs.New(errs.Internal, "Gemini returned an unexpected status (HTTP %d %s): try again, or use another model", e.Code, status)
	}
}

// quota returns the error for a quota that is used up.
func (c *client) quota(d details) *errs.Error {
	retry := d.retry
	if retry <= 0 {
		retry = quotaRetry
	}
	if d.daily {
		return errs.New(errs.RateLimited, "Gemini's quota for today is used up: use a local model, or raise the account's quota").
			WithRetryAfter(max(retry, dailyRetry)).With("quota", "day")
	}
	return errs.New(errs.RateLimited, "Gemini's quota is used up for now: try again later").WithRetryAfter(retry)
}

// isKeyError reports whether the API rejects the key, by the text of the message:
// the details may be missing.
func isKeyError(e genai.APIError) bool {
	return e.Code == http.StatusBadRequest && strings.HasPrefix(e.Message, "API key ")
}

// parameterOf returns the parameter that set a model's name.
func (c *client) parameterOf(model string) string {
	if strings.Contains(model, "tts") {
		return "speech_model"
	}
	return "model"
}

// details are the API's error details.
type details struct {
	reason string        // of its ErrorInfo
	retry  time.Duration // of its RetryInfo
	daily  bool          // a daily quota was exceeded
}

// detailsOf reads the details. It ignores those of an unknown form.
func detailsOf(e genai.APIError) details {
	var out details
	for _, raw := range e.Details {
		text, err := json.Marshal(raw)
		if err != nil {
			continue
		}
		var d struct {
			Reason     string
			RetryDelay string
			Violations []struct{ QuotaID string }
		}
		if json.Unmarshal(text, &d) != nil {
			continue
		}
		if d.Reason != "" {
			out.reason = d.Reason
		}
		if delay, err := time.ParseDuration(d.RetryDelay); err == nil && delay > 0 {
			out.retry = min(delay, maxRetryAdvice)
		}
		for _, v := range d.Violations {
			out.daily = out.daily || strings.Contains(v.QuotaID, "PerDay")
		}
	}
	return out
}

func orStatus(reason, status string) string {
	if reason != "" {
		return reason
	}
	return status
}

// sanitize returns a text of the API for an error message: without the key, on one
// line, and with at most limit characters.
func (c *client) sanitize(s string, limit int) string {
	s = strings.ReplaceAll(s, c.options.APIKey, "[key]")
	return shorten(strings.ReplaceAll(s, url.QueryEscape(c.options.APIKey), "[key]"), limit)
}

// shorten returns s on one line and with at most limit characters.
func shorten(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "�"))
	if r := []rune(s); len(r) > limit {
		return string(r[:limit]) + "…"
	}
	return s
}
