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

// fails is a model that ends with an error.
func fails(err error) play {
	return func(context.Context, func() ([]byte, error), func(string)) error { return err }
}

// Of several causes the caller is told the one that helps.
func TestWhichCauseIsTold(t *testing.T) {
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
		"a quota behind a missing file":  {missing, limited, errs.RateLimited, `model "first" could not answer (MODEL_FILE_MISSING: no file), nor could "second" instead: quota`, 40 * time.Second, "primary.first", "MODEL_FILE_MISSING"},
		"its own metadata":               {missing, limited, errs.RateLimited, "quota", 40 * time.Second, "quota", "daily"},
		"a quota behind an inner fault":  {errs.New(errs.Internal, "secret"), limited, errs.RateLimited, `(INTERNAL), nor`, 40 * time.Second, "primary.first", "INTERNAL"},
		"a refusal behind a crash":       {errs.New(errs.EngineCrashed, "x"), refusal, errs.InvalidRequest, "blocked: SAFETY", 0, "primary.first", "ENGINE_CRASHED"},
		"a refusal behind a broken file": {missing, refusal, errs.InvalidRequest, "blocked: SAFETY", 0, "primary.first", "MODEL_FILE_MISSING"},
		"both may do better":             {busy, limited, errs.QueueFull, "full", 3 * time.Second, "fallback.second", "RATE_LIMITED"},
		"neither will":                   {missing, errs.New(errs.EngineUnavailable, "no"), errs.ModelFileMissing, "no file", 0, "fallback.second", "ENGINE_UNAVAILABLE"},
		"it took too long":               {errs.New(errs.DeadlineExceeded, "late"), limited, errs.DeadlineExceeded, "late", 0, "fallback.second", "RATE_LIMITED"},
	} {
		th := newTheatre(fails(c.first), fails(c.second))
		var log bytes.Buffer
		th.opts.Log = slog.New(slog.NewTextHandler(&log, nil))
		_, err := th.Run(t.Context(), chat, &heard{})
		e := errs.From(err)
		if e.Reason() != c.reason || !strings.Contains(e.Message(), c.message) || e.RetryAfter() != c.retry || e.Metadata()[c.key] != c.value {
			t.Errorf("%s: %v, retry after %s, %v", name, e, e.RetryAfter(), e.Metadata())
		}
		if strings.Contains(e.Message(), "secret") {
			t.Errorf("%s: %v", name, e)
		}
		// The end is in the log, without what may be the caller's words.
		told := log.String()
		if !strings.Contains(told, "model=second reason="+errs.ReasonName(c.second.Reason())) || strings.Contains(told, "SAFETY") {
			t.Errorf("%s: the log: %s", name, told)
		}
	}
}
