package gemini_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/engines/gemini/geminitest"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

func TestFailuresHaveReasons(t *testing.T) {
	server := geminitest.New(t)
	logs := &logBuffer{}
	o := account(server)
	o.Logger = slog.New(slog.NewJSONHandler(logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	m, err := loadWith(t, o, nil)
	if err != nil {
		t.Fatal(err)
	}
	fail := geminitest.Error
	for name, c := range map[string]struct {
		answer geminitest.Answer
		reason errs.Reason
		text   string // part of the message
		retry  time.Duration
	}{
		"400":            {fail(400, "INVALID_ARGUMENT", "The input token count exceeds the maximum."), errs.InvalidRequest, "token count", 0},
		"400, the key":   {geminitest.BadKey(), errs.EngineUnavailable, "GEMINI_API_KEY", 0},
		"400, a country": {fail(400, "FAILED_PRECONDITION", "User location is not supported for the API use."), errs.EngineUnavailable, "location", 0},
		"400, echoing":   {fail(400, "INVALID_ARGUMENT", "bad key "+geminitest.Key+"\nhere"), errs.InvalidRequest, "bad key [key] here", 0},
		"401":            {fail(401, "UNAUTHENTICATED", "no"), errs.EngineUnavailable, "GEMINI_API_KEY", 0},
		"403":            {fail(403, "PERMISSION_DENIED", "no"), errs.EngineUnavailable, "PERMISSION_DENIED", 0},
		"404":            {fail(404, "NOT_FOUND", "no model"), errs.EngineUnavailable, "models.gemini.parameters.model", 0},
		"413":            {fail(413, "", "large"), errs.InvalidRequest, "too large", 0},
		"418":            {fail(418, "TEAPOT", "short and stout"), errs.Internal, "418", 0},
		"429":            {geminitest.Quota(34*time.Second, false), errs.RateLimited, "for now", 34 * time.Second},
		"429, no advice": {geminitest.Quota(0, false), errs.RateLimited, "for now", 30 * time.Second},
		"429, the day's": {geminitest.Quota(34*time.Second, true), errs.RateLimited, "day", time.Hour},
		"500":            {fail(500, "INTERNAL", "secret inner words"), errs.EngineCrashed, "500 INTERNAL", time.Second},
		"503":            {geminitest.Unavailable(), errs.EngineCrashed, "503", time.Second},
		"504":            {fail(504, "DEADLINE_EXCEEDED", "slow"), errs.EngineCrashed, "504", time.Second},
		"503, no JSON":   {geminitest.Answer{Status: 503, Raw: []byte("<html>busy</html>")}, errs.EngineCrashed, "503", time.Second},
		"200, no JSON":   {geminitest.Answer{Raw: []byte("<html>hotel wifi</html>")}, errs.EngineCrashed, "interrupted", time.Second},
		"cut":            {geminitest.Answer{Break: true, Chunks: geminitest.Text("hello").Chunks}, errs.EngineCrashed, "", time.Second},
		"redirect":       {geminitest.Redirect("https://example.org/"), errs.EngineUnavailable, "gemini.base_url", 0},
	} {
		t.Run(name, func(t *testing.T) {
			server.Answer(c.answer)
			_, err := m.Respond(t.Context(), &gatewayv1.RespondRequest{Text: "what I said"})
			e := errs.From(err)
			if e == nil || e.Reason() != c.reason || !strings.Contains(e.Message(), c.text) || e.RetryAfter() != c.retry {
				t.Fatalf("%v, retry %v", err, e.RetryAfter())
			}
			for err := err; err != nil; err = errors.Unwrap(err) {
				if strings.Contains(err.Error(), geminitest.Key) || strings.Contains(err.Error(), "secret inner words") || strings.Contains(err.Error(), "hotel") {
					t.Errorf("the error contains text that must not be quoted: %v", err)
				}
			}
		})
	}
	if text := logs.String(); !strings.Contains(text, "Gemini refused a request") || strings.Contains(text, geminitest.Key) || strings.Contains(text, "what I said") {
		t.Errorf("the log is %s", text)
	}
}

func TestStreamThatBreaksIsAnError(t *testing.T) {
	server, m := open(t)
	pieces := geminitest.TextEnding("", "The answer", " is")
	broken, garbage := pieces, pieces
	broken.Break, garbage.Garbage = true, true
	for name, c := range map[string]struct {
		answer geminitest.Answer
		text   string
	}{
		"connection cut":    {broken, "The answer is"},
		"no JSON":           {garbage, "The answer is"},
		"no finish reason":  {pieces, "The answer is"},
		"an error in it":    {geminitest.ErrorInStream(503, "UNAVAILABLE", "The answer"), "The answer"},
		"nothing":           {geminitest.NoCandidates(), ""},
		"an empty stop":     {geminitest.Empty("STOP"), ""},
		"an unknown finish": {geminitest.TextEnding("OTHER", "The"), "The"},
	} {
		server.Answer(c.answer)
		before := len(server.Requests())
		text, last, err := chat(t.Context(), m, say("x"))
		if errs.ReasonOf(err) != errs.EngineCrashed || text != c.text || last.GetFinishReason() != 0 {
			t.Errorf("%s: %q, %v, %v", name, text, last, err)
		}
		if n := len(server.Requests()) - before; n != 1 {
			t.Errorf("%s: %d requests to the API", name, n)
		}
	}
}

func TestRetriesBeforeTheFirstByteOnly(t *testing.T) {
	server := geminitest.New(t)
	o := account(server)
	o.Retries = 2
	m, err := loadWith(t, o, nil)
	if err != nil {
		t.Fatal(err)
	}
	broken := geminitest.TextEnding("", "The")
	broken.Break = true
	for name, c := range map[string]struct {
		script []geminitest.Answer
		sent   int
		reason errs.Reason // 0: no error
	}{
		"503 twice":      {[]geminitest.Answer{geminitest.Unavailable(), geminitest.Unavailable(), geminitest.Text("hello")}, 3, 0},
		"503 every time": {[]geminitest.Answer{geminitest.Unavailable()}, 3, errs.EngineCrashed},
		"429":            {[]geminitest.Answer{geminitest.Quota(time.Second, false)}, 1, errs.RateLimited},
		"400":            {[]geminitest.Answer{geminitest.Error(400, "INVALID_ARGUMENT", "no")}, 1, errs.InvalidRequest},
		"broken stream":  {[]geminitest.Answer{broken, geminitest.Text("hello")}, 1, errs.EngineCrashed},
	} {
		server.Script(c.script...)
		before := len(server.Requests())
		if _, _, err := chat(t.Context(), m, say("x")); errs.ReasonOf(err) != c.reason {
			t.Errorf("%s: %v", name, err)
		}
		if n := len(server.Requests()) - before; n != c.sent {
			t.Errorf("%s: %d requests to the API, want %d", name, n, c.sent)
		}
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	var redirected atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, _ *http.Request) { redirected.Add(1) }))
	defer other.Close()
	server, m := open(t)
	server.Answer(geminitest.Redirect(other.URL + "/v1beta/models/gemini-3.8-flash:generateContent"))
	_, err := m.Respond(t.Context(), &gatewayv1.RespondRequest{Text: "x"})
	if errs.ReasonOf(err) != errs.EngineUnavailable {
		t.Errorf("unary: %v", err)
	}
	if _, _, err := chat(t.Context(), m, say("x")); errs.ReasonOf(err) != errs.EngineUnavailable {
		t.Errorf("stream: %v", err)
	}
	// A redirect to another path of the same host is not followed either.
	server.Answer(geminitest.Redirect(server.URL + "/elsewhere"))
	if _, err := m.Respond(t.Context(), &gatewayv1.RespondRequest{Text: "x"}); errs.ReasonOf(err) != errs.EngineUnavailable {
		t.Errorf("same host: %v", err)
	}
	if redirected.Load() != 0 || server.Refused() != 0 {
		t.Error("a redirect was followed")
	}
}

func TestUnreachable(t *testing.T) {
	server := geminitest.New(t)
	o := account(server)
	closed := httptest.NewServer(http.NotFoundHandler())
	o.BaseURL = closed.URL
	closed.Close()
	m, err := loadWith(t, o, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = m.Respond(t.Context(), &gatewayv1.RespondRequest{Text: "x"})
	if errs.ReasonOf(err) != errs.EngineCrashed || !strings.Contains(err.Error(), "cannot be reached") || strings.Contains(err.Error(), geminitest.Key) {
		t.Errorf("%v", err)
	}
}

// slow returns an answer that never ends after its first piece.
func slow() geminitest.Answer {
	a := geminitest.TextEnding("", "Let me ")
	a.Hold = true
	return a
}

func TestCancellationAndDeadlineOfTheCaller(t *testing.T) {
	server, m := open(t)
	server.Answer(slow())
	ctx, cancel := context.WithCancel(t.Context())
	err := m.Chat(ctx, say("x"), func(*gatewayv1.StreamChatResponse) error {
		cancel() // during the answer
		return nil
	})
	if errs.ReasonOf(err) != errs.Cancelled {
		t.Errorf("a cancelled stream ended with %v", err)
	}
	for name, run := range map[string]func(context.Context) error{
		"stream": func(ctx context.Context) error { _, _, err := chat(ctx, m, say("x")); return err },
		"unary": func(ctx context.Context) error {
			_, err := m.Respond(ctx, &gatewayv1.RespondRequest{Text: "x"})
			return err
		},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		if err := run(ctx); errs.ReasonOf(err) != errs.DeadlineExceeded || errors.Is(err, context.Canceled) {
			t.Errorf("%s past the deadline ended with %v", name, err)
		}
		cancel()
	}
}

func TestTimeoutOfTheAccount(t *testing.T) {
	server := geminitest.New(t)
	o := account(server)
	o.Timeout = 50 * time.Millisecond
	o.Retries = 3
	m, err := loadWith(t, o, nil)
	if err != nil {
		t.Fatal(err)
	}
	silent := geminitest.Text("late")
	silent.Delay = testTimeout
	for name, answer := range map[string]geminitest.Answer{"slow body": slow(), "no header": silent} {
		server.Answer(answer)
		if _, _, err := chat(t.Context(), m, say("x")); errs.ReasonOf(err) != errs.DeadlineExceeded || !strings.Contains(err.Error(), "gemini.timeout") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestHugeAnswersAreRefused(t *testing.T) {
	server, m := open(t)
	huge := strings.Repeat("All work and no play. ", 500_000) // 11 MB
	server.Answer(geminitest.Text(huge))
	if _, err := m.Respond(t.Context(), &gatewayv1.RespondRequest{Text: "x"}); errs.ReasonOf(err) != errs.Internal || !strings.Contains(err.Error(), "larger") {
		t.Errorf("unary: %.200v", err)
	}
	if _, _, err := chat(t.Context(), m, say("x")); errs.ReasonOf(err) != errs.Internal || !strings.Contains(err.Error(), "larger") {
		t.Errorf("stream: %.200v", err)
	}
	server.Answer(geminitest.Answer{Status: 500, Raw: []byte(huge)})
	if _, err := m.Respond(t.Context(), &gatewayv1.RespondRequest{Text: "x"}); err == nil || len(err.Error()) > 1000 {
		t.Errorf("an error: %.200v", err)
	}
}

func TestHalfOfTheRequestsFail(t *testing.T) {
	server := geminitest.New(t)
	m, err := loadWith(t, account(server), nil)
	if err != nil {
		t.Fatal(err)
	}
	server.FailShare(0.5, geminitest.Unavailable(), 7)
	ended := make(chan error)
	const n = 64
	for range n {
		go func() { _, _, err := chat(context.Background(), m, say("x")); ended <- err }()
	}
	failed := 0
	for range n {
		switch err := <-ended; errs.ReasonOf(err) {
		case 0:
		case errs.EngineCrashed:
			failed++
		default:
			t.Error(err)
		}
	}
	if failed == 0 || failed == n || len(server.Requests()) != n {
		t.Errorf("%d of %d failed, %d requests", failed, n, len(server.Requests()))
	}
}
