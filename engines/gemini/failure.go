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
	// maxWord and maxWords bound what is passed on of the API's own words.
	maxWord  = 64
	maxWords = 300

	// dailyRetry is the least advised where a day's quota is used up: the API
	// itself advises seconds.
	dailyRetry = time.Hour

	// quotaRetry is advised where the API advises nothing.
	quotaRetry = 30 * time.Second

	// maxRetryAdvice bounds what the API advises.
	maxRetryAdvice = 24 * time.Hour
)

func brokeOff() error {
	return errs.New(errs.EngineCrashed, "Gemini's answer broke off; try again")
}

// failure gives an error of the library its type. Its words are not passed on,
// except for the API's own on a request that it refused: they may hold texts of
// users, whole answers, or the key.
func (c *client) failure(caller, ctx context.Context, model string, err error) error {
	if caller.Err() != nil {
		return caller.Err()
	}
	if deadline, ok := caller.Deadline(); ok && !time.Now().Before(deadline) {
		return context.DeadlineExceeded // a dial may end a moment before its context
	}
	var refused genai.APIError
	var network net.Error
	var address *url.Error
	switch {
	case errors.Is(context.Cause(ctx), errTimeout):
		return errs.New(errs.DeadlineExceeded, "Gemini did not answer within gemini.timeout (%s)", c.options.Timeout)
	case tooLarge(ctx):
		return errs.New(errs.Internal, "Gemini's answer is larger than the gateway takes")
	case errors.As(err, &refused):
		return c.refused(model, refused)
	case errors.As(err, &address), errors.As(err, &network):
		return errs.New(errs.EngineCrashed, "Gemini cannot be reached (%s); see to the network or the proxy, or try again",
			c.plain(reachError(err), maxWords))
	default: // no JSON, a stream that ended in the middle
		return brokeOff()
	}
}

// reachError is what a network error says, without the URL.
func reachError(err error) string {
	var address *url.Error
	if errors.As(err, &address) {
		err = address.Err
	}
	return err.Error()
}

// refused gives a status of the API its type.
func (c *client) refused(model string, e genai.APIError) error {
	details := detailsOf(e)
	status := c.plain(e.Status, maxWord)
	err := c.refusedFor(model, e, details, status)
	level := slog.LevelDebug
	if err.Reason() == errs.EngineUnavailable {
		level = slog.LevelWarn // somebody has to do something
	}
	c.log.Log(context.Background(), level, "Gemini refused a request", "http_status", e.Code, "status", status,
		"reason", c.plain(details.reason, maxWord), "error_reason", errs.ReasonName(err.Reason()))
	return err
}

func (c *client) refusedFor(model string, e genai.APIError, details details, status string) *errs.Error {
	switch {
	case e.Code == http.StatusUnauthorized, strings.HasPrefix(details.reason, "API_KEY_"), keyComplaint(e):
		return errs.New(errs.EngineUnavailable, "Gemini does not take the key; set GEMINI_API_KEY to a valid one").
			With("http_status", "401")
	case e.Code == http.StatusForbidden:
		return errs.New(errs.EngineUnavailable,
			"Gemini does not let the key of GEMINI_API_KEY do this (%s); see to the key's restrictions and the account", orStatus(c.plain(details.reason, maxWord), status))
	case e.Code == http.StatusNotFound:
		return errs.New(errs.EngineUnavailable,
			"Gemini knows no model %q, or not for this task; set models.%s.parameters.%s", model, c.model, c.parameterOf(model)).
			With("parameter", c.parameterOf(model))
	case e.Code == http.StatusTooManyRequests:
		return c.quota(details)
	case e.Code == http.StatusRequestEntityTooLarge:
		return errs.New(errs.InvalidRequest, "the request is too large for Gemini; send it in smaller parts")
	case e.Code == http.StatusBadRequest && e.Status == "FAILED_PRECONDITION":
		return errs.New(errs.EngineUnavailable, "Gemini cannot be used from here or with this account: %s", c.plain(e.Message, maxWords))
	case e.Code == http.StatusBadRequest:
		return errs.New(errs.InvalidRequest, "Gemini refused the request: %s", c.plain(e.Message, maxWords))
	case e.Code >= 300 && e.Code < 400:
		return errs.New(errs.EngineUnavailable,
			"Gemini's address redirects to another, which is not followed because the key must not go there; set gemini.base_url")
	case e.Code >= 500, e.Code == http.StatusRequestTimeout:
		return errs.New(errs.EngineCrashed, "Gemini is not available now (HTTP %d %s); try again", e.Code, status)
	default:
		return errs.New(errs.Internal, "Gemini answered HTTP %d %s", e.Code, status)
	}
}

// quota is the error of a quota that is used up.
func (c *client) quota(d details) *errs.Error {
	retry := d.retry
	if retry <= 0 {
		retry = quotaRetry
	}
	if d.daily {
		return errs.New(errs.RateLimited, "the day's quota of Gemini is used up").
			WithRetryAfter(max(retry, dailyRetry)).With("quota", "day")
	}
	return errs.New(errs.RateLimited, "the quota of Gemini is used up for now").WithRetryAfter(retry)
}

// keyComplaint recognises the complaint by its words, where details are missing.
func keyComplaint(e genai.APIError) bool {
	return e.Code == http.StatusBadRequest && strings.HasPrefix(e.Message, "API key ")
}

// parameterOf names the setting that a model's name came from.
func (c *client) parameterOf(model string) string {
	if strings.Contains(model, "tts") {
		return "speech_model"
	}
	return "model"
}

// details are what the API's error details tell.
type details struct {
	reason string        // of its ErrorInfo
	retry  time.Duration // of its RetryInfo
	daily  bool          // a quota of the day was violated
}

// detailsOf reads the details; what is of another shape tells nothing.
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

// plain makes words of others fit to pass on: without the key, on one line, and
// not long.
func (c *client) plain(s string, most int) string {
	s = strings.ReplaceAll(s, c.options.APIKey, "[key]")
	return shorten(strings.ReplaceAll(s, url.QueryEscape(c.options.APIKey), "[key]"), most)
}

func shorten(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "�"))
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
