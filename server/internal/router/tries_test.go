package router

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
)

// failing returns a model that fails with an error.
func failing(err error) modelFunc {
	return func(context.Context, func() ([]byte, error), func(string)) error { return err }
}

// If all candidates fail, the request gets the error that helps the caller most.
func TestErrorOfAllCandidates(t *testing.T) {
	missing := errs.New(errs.ModelFileMissing, "no file")
	limited := errs.New(errs.RateLimited, "quota").WithRetryAfter(40*time.Second).With("quota", "daily")
	refusal := errs.New(errs.InvalidRequest, "blocked: SAFETY")
	busy := errs.New(errs.QueueFull, "full").WithRetryAfter(3 * time.Second)
	for name, c := range map[string]struct {
		first, second *errs.Error
		reason        errs.Reason
		message       string
		retry         time.Duration
		key, value    string
	}{
		"a quota after a missing file":    {missing, limited, errs.RateLimited, `model "first" failed (MODEL_FILE_MISSING: no file), and so did "second": quota`, 40 * time.Second, "primary.first", "MODEL_FILE_MISSING"},
		"its own metadata":                {missing, limited, errs.RateLimited, "quota", 40 * time.Second, "quota", "daily"},
		"a quota after an internal error": {errs.New(errs.Internal, "secret"), limited, errs.RateLimited, `(INTERNAL), and`, 40 * time.Second, "primary.first", "INTERNAL"},
		"a refusal after a crash":         {errs.New(errs.EngineCrashed, "x"), refusal, errs.InvalidRequest, "blocked: SAFETY", 0, "primary.first", "ENGINE_CRASHED"},
		"a refusal after a missing file":  {missing, refusal, errs.InvalidRequest, "blocked: SAFETY", 0, "primary.first", "MODEL_FILE_MISSING"},
		"a retry helps with both":         {busy, limited, errs.QueueFull, "full", 3 * time.Second, "fallback.second", "RATE_LIMITED"},
		"a retry helps with neither":      {missing, errs.New(errs.EngineUnavailable, "no"), errs.ModelFileMissing, "no file", 0, "fallback.second", "ENGINE_UNAVAILABLE"},
		"a deadline":                      {errs.New(errs.DeadlineExceeded, "late"), limited, errs.DeadlineExceeded, "late", 0, "fallback.second", "RATE_LIMITED"},
	} {
		tm := newTwoModels(failing(c.first), failing(c.second))
		var log bytes.Buffer
		tm.opts.Log = slog.New(slog.NewTextHandler(&log, nil))
		_, err := tm.Run(t.Context(), chat, &textSink{})
		e := errs.From(err)
		if e.Reason() != c.reason || !strings.Contains(e.Message(), c.message) || e.RetryAfter() != c.retry || e.Metadata()[c.key] != c.value {
			t.Errorf("%s: %v, retry after %s, %v", name, e, e.RetryAfter(), e.Metadata())
		}
		if strings.Contains(e.Message(), "secret") {
			t.Errorf("%s: %v", name, e)
		}
		// The log has the last failure, without text that may quote the caller.
		logged := log.String()
		if !strings.Contains(logged, "model=second reason="+errs.ReasonName(c.second.Reason())) || strings.Contains(logged, "SAFETY") {
			t.Errorf("%s: the log: %s", name, logged)
		}
	}
}
