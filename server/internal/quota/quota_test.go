package quota

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/server/internal/auth"
	"github.com/lexilingo/modelgateway/server/internal/config"
	"github.com/lexilingo/modelgateway/server/internal/peers"
)

// refusals counts refused requests, by caller and limit.
type refusals map[string]int

func (r refusals) Limited(caller, limit string) { r[caller+" "+limit]++ }

func newTest(q config.Quota) (*Limiter, *clockwork.FakeClock, refusals) {
	clock, seen := clockwork.NewFakeClock(), refusals{}
	return New(q, seen, clock.Now), clock, seen
}

// from returns the context of a request from a peer.
func from(peer string) context.Context { return peers.With(context.Background(), peer) }

// as returns the context of a request with a key from any peer.
func as(id string, limits map[string]float64) context.Context {
	return auth.WithCaller(from("192.0.2.1"), &auth.Caller{ID: id, Name: "name of " + id, Limits: limits})
}

func TestRequestsHaveARateAndABurst(t *testing.T) {
	l, clock, seen := newTest(config.Quota{RequestsPerSecond: 2, RequestBurst: 3})
	a := l.Of(from("192.0.2.1"))
	for i := range 3 {
		if err := a.TakeRequest(); err != nil {
			t.Fatalf("request %d: %v", i, err)
		}
	}
	e := errs.From(a.TakeRequest())
	if e == nil || e.Reason() != errs.RateLimited || e.RetryAfter() != 500*time.Millisecond || e.Metadata()["limit"] != "requests" {
		t.Fatalf("the fourth: %v", e)
	}
	if err := l.Of(from("192.0.2.2")).TakeRequest(); err != nil {
		t.Errorf("another peer: %v", err)
	}
	clock.Advance(e.RetryAfter())
	for i, want := range []bool{true, false} { // a refused request takes nothing
		if err := a.TakeRequest(); (err == nil) != want {
			t.Errorf("later, request %d: %v", i, err)
		}
	}
	clock.Advance(time.Hour)
	for i, want := range []bool{true, true, true, false} {
		if err := a.TakeRequest(); (err == nil) != want {
			t.Errorf("after an hour, request %d: %v", i, err)
		}
	}
	if seen[" requests"] != 3 {
		t.Errorf("counted %v", seen)
	}
}

// What is used beyond a limit is a debt, which is paid by the rate.
func TestDebt(t *testing.T) {
	l, clock, _ := newTest(config.Quota{TokensPerMinute: 60, AudioInSecondsPerMinute: 60})
	a := l.Of(from("192.0.2.1"))
	if !a.Charge(Tokens, 60) || a.Charge(Tokens, 30) {
		t.Error("90 tokens of 60")
	}
	err := errs.From(a.Check(AudioIn, Tokens))
	if err == nil || err.RetryAfter() != 31*time.Second || err.Metadata()["limit"] != "tokens" {
		t.Fatalf("%v", err)
	}
	if err := a.Check(AudioIn); err != nil {
		t.Errorf("another limit: %v", err)
	}
	clock.Advance(31*time.Second - time.Millisecond)
	if a.Check(Tokens) == nil {
		t.Error("too early")
	}
	clock.Advance(time.Millisecond)
	if err := a.Check(Tokens); err != nil {
		t.Error(err)
	}
	// An engine may report any number.
	a.Charge(Tokens, math.MaxInt64)
	if wait := errs.From(a.Check(Tokens)).RetryAfter(); wait < maxDebt || wait > maxDebt+2*time.Second {
		t.Errorf("the longest wait is %s", wait)
	}
}

// The limits of a key replace those of the server, one by one, and may change.
func TestLimitsOfAKey(t *testing.T) {
	l, _, seen := newTest(config.Quota{RequestsPerSecond: 1, RequestBurst: 1, TokensPerMinute: 10})
	key := l.Of(as("k", map[string]float64{"requests_per_second": 0, "tokens_per_minute": 20}))
	for range 100 {
		if err := key.TakeRequest(); err != nil {
			t.Fatal(err)
		}
	}
	if !key.Charge(Tokens, 20) || key.Check(Tokens) == nil {
		t.Error("20 tokens")
	}
	if seen["name of k tokens"] != 1 {
		t.Errorf("counted %v", seen)
	}
	if err := l.Of(from("192.0.2.1")).Check(Tokens); err != nil {
		t.Errorf("the peer of the key: %v", err)
	}
	if err := l.Of(as("k", map[string]float64{"tokens_per_minute": 30})).Check(Tokens); err != nil {
		t.Errorf("after a change: %v", err)
	}
	if err := key.Check(Tokens); err == nil {
		t.Error("other limits of the same caller paid the debt of these")
	}
	for what, ctx := range map[string]context.Context{
		"a Unix socket": from(""), "a key without limits": as("free", map[string]float64{"requests_per_second": 0, "tokens_per_minute": 0}),
	} {
		if l.Of(ctx).Limited() {
			t.Errorf("%s has limits", what)
		}
	}
}

func TestFields(t *testing.T) {
	for what, c := range map[string]struct {
		quota          config.Quota
		policy, limits string
	}{
		"a burst of its own":   {config.Quota{RequestsPerSecond: 0.5, RequestBurst: 5}, `"requests";q=5;w=10`, `"requests";r=5`},
		"less than a second's": {config.Quota{RequestsPerSecond: 10, RequestBurst: 1}, `"requests";q=10;w=1`, `"requests";r=1`},
		"the default burst":    {config.Quota{RequestsPerSecond: 10}, `"requests";q=20;w=2`, `"requests";r=20`},
		"a minute's":           {config.Quota{TokensPerMinute: 600, AudioOutSecondsPerMinute: 30}, `"tokens";q=600;w=60, "audio-out";q=30;w=60`, `"tokens";r=479;t=1, "audio-out";r=29;t=1`},
	} {
		l, _, _ := newTest(c.quota)
		a := l.Of(from("192.0.2.1"))
		a.Charge(Tokens, 121)
		a.Charge(AudioOut, 500)
		got := map[string]string{}
		a.Fields(func(name, value string) { got[name] = value })
		if got["RateLimit-Policy"] != c.policy || got["RateLimit"] != c.limits {
			t.Errorf("%s: %q", what, got)
		}
		for name := range got {
			if !strings.Contains(fmt.Sprint(FieldNames()), name) {
				t.Errorf("the field %s has no name", name)
			}
		}
		if c.quota.TokensPerMinute > 0 && (got["X-Ratelimit-Remaining-Tokens"] != "479" || got["X-Ratelimit-Reset-Tokens"] != "12.1s") {
			t.Errorf("%s: %q", what, got)
		}
	}
}

// Callers who come once are forgotten.
func TestAccountsAreBounded(t *testing.T) {
	l, clock, _ := newTest(config.Quota{RequestsPerSecond: 1})
	most := 0
	for i := range 100_000 {
		_ = l.Of(from(fmt.Sprint(i))).TakeRequest()
		clock.Advance(100 * time.Millisecond)
		most = max(most, len(l.accounts))
	}
	if most > 100 {
		t.Errorf("%d accounts", most)
	}
}

func TestAccountsMayBeUsedAtOnce(t *testing.T) {
	l, _, _ := newTest(config.Quota{RequestsPerSecond: 1, RequestBurst: 500})
	taken := make(chan int)
	for range 10 {
		go func() {
			n := 0
			for range 100 {
				if l.Of(from("192.0.2.1")).TakeRequest() == nil {
					n++
				}
			}
			taken <- n
		}()
	}
	all := 0
	for range 10 {
		all += <-taken
	}
	if all != 500 {
		t.Errorf("%d requests of 500", all)
	}
}
