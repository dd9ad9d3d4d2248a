// Package quota limits how much one caller uses over time: requests, tokens, and
// audio in and out. A caller is an API key or, without keys, a peer.
//
// Each limit is a token bucket. What a request uses is known only while it runs, so
// it is charged then, and a caller may be in debt: it is refused until that is paid.
package quota

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/server/internal/auth"
	"github.com/lexilingo/modelgateway/server/internal/config"
	"github.com/lexilingo/modelgateway/server/internal/peers"
)

// Observer counts the requests that are refused.
type Observer interface {
	// Limited is called for each. caller is the name of the key, empty without one;
	// limit is the name of what is used up.
	Limited(caller, limit string)
}

// Limiter has what callers have left.
type Limiter struct {
	defaults config.Quota
	observer Observer
	now      func() time.Time

	mu       sync.Mutex
	accounts map[accountKey]*account // without those that have used nothing lately
	sweep    int                     // the number of accounts at which to remove those
}

// accountKey identifies an account. A caller has one for each set of limits, so that
// tokens with other limits do not fill up what another token has used.
type accountKey struct {
	caller string
	quota  config.Quota
}

// New returns a limiter. defaults are the limits of callers whose key has no others.
func New(defaults config.Quota, observer Observer, now func() time.Time) *Limiter {
	return &Limiter{defaults: defaults, observer: observer, now: now, accounts: map[accountKey]*account{}, sweep: 1}
}

// account is what one caller has left. The limiter's mu guards it.
type account struct {
	buckets [kinds]*bucket // nil: no limit
}

// Account is the account of one caller. Its methods may be called concurrently. The
// zero value has no limits.
type Account struct {
	limiter *Limiter
	id      string
	key     string // the name of the key; empty without one
	quota   config.Quota
}

// Of returns the account of the caller of a request. A nil limiter has no limits.
func (l *Limiter) Of(ctx context.Context) Account {
	if l == nil {
		return Account{}
	}
	caller, id := auth.CallerOf(ctx), peers.Caller(ctx)
	quota := l.defaults.Override(caller.Limits)
	if id == "" || quota.Empty() {
		return Account{}
	}
	return Account{limiter: l, id: id, key: caller.Name, quota: quota}
}

// Limited reports whether the caller has limits.
func (a Account) Limited() bool { return a.limiter != nil }

// use calls f with the caller's buckets and the time.
func (a Account) use(f func(*account, time.Time)) {
	if a.limiter == nil {
		return
	}
	l := a.limiter
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	key := accountKey{a.id, a.quota}
	have := l.accounts[key]
	if have == nil {
		l.removeFull(now)
		have = &account{buckets: newBuckets(a.quota)}
		l.accounts[key] = have
	}
	f(have, now)
}

// removeFull removes the accounts that lack nothing, when there may be as many of
// them as others. mu is held.
func (l *Limiter) removeFull(now time.Time) {
	if len(l.accounts) < l.sweep {
		return
	}
	for id, a := range l.accounts {
		full := true
		for _, b := range a.buckets {
			full = full && (b == nil || b.full(now))
		}
		if full {
			delete(l.accounts, id)
		}
	}
	l.sweep = 2*len(l.accounts) + 1
}

// TakeRequest takes one request from what the caller has left.
func (a Account) TakeRequest() error { return a.refuse((*bucket).take, Requests) }

// Check returns an error if one of these limits is used up.
func (a Account) Check(of ...Kind) error { return a.refuse((*bucket).has, of...) }

// Charge takes n units of a kind: tokens, or milliseconds of audio. It reports
// whether that was left.
func (a Account) Charge(kind Kind, n int64) (left bool) {
	left = true
	a.use(func(have *account, now time.Time) {
		if b := have.buckets[kind]; b != nil {
			left = b.charge(now, n)
		}
	})
	return left
}

// Refuse returns the error of a request that goes on after a limit is used up.
func (a Account) Refuse(kind Kind) error {
	return a.refuse(func(*bucket, time.Time) bool { return false }, kind)
}

// refuse returns the error of a caller, and counts it, if one of its limits does not
// allow what allowed asks.
func (a Account) refuse(allowed func(*bucket, time.Time) bool, of ...Kind) (err error) {
	a.use(func(have *account, now time.Time) {
		for _, kind := range of {
			if b := have.buckets[kind]; b != nil && err == nil && !allowed(b, now) {
				err = a.usedUp(kind, b, now)
			}
		}
	})
	return err
}

// usedUp is the error of a limit that is used up.
func (a Account) usedUp(kind Kind, b *bucket, now time.Time) *errs.Error {
	whose := "this address"
	if a.key != "" {
		whose = fmt.Sprintf("the API key %q", a.key)
	}
	wait := b.wait(now)
	a.limiter.observer.Limited(a.key, kind.String())
	return errs.New(errs.RateLimited, "%s has used up its limit of %s: try again in %s, or ask the operator for more", whose, b.describe(kind), wait).
		WithRetryAfter(wait).With("limit", kind.String())
}
