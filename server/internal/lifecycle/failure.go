package lifecycle

import (
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// failure is a failed load or a crash loop, with its cooldown.
type failure struct {
	err     *errs.Error
	at      time.Time
	retryAt time.Time
	// count is how many failures came in a row.
	count int
	// key is the fingerprint of the file that failed; sizing: not even its size
	// could be determined.
	key    string
	sizing bool
}

// coolingDown reports whether the model is not tried again yet.
func (m *model) coolingDown() bool { return m.failure != nil && m.now.Before(m.failure.retryAt) }

// fail puts a model into its cooldown.
func (m *model) fail(err *errs.Error, sizing bool) {
	m.failures++
	m.failure = &failure{
		err: err, at: m.now, retryAt: m.now.Add(m.opts.cooldown(m.failures - 1)),
		count: m.failures, key: m.size.key, sizing: sizing,
	}
	m.size.known = false
	m.announce(change{err: err, detail: err.Message()})
}

// clearFailure ends the cooldown.
func (m *model) clearFailure() {
	m.failure, m.failures, m.crashes = nil, 0, nil
	m.announce(change{detail: "the failure was cleared by an unload"})
}

// cooldown is how long a model is not tried again after a failure that so many
// others came before.
func (o *Options) cooldown(before int) time.Duration {
	d := o.CooldownBase
	for i := 0; i < before && d < o.CooldownMax; i++ {
		d *= 2
	}
	return min(d, o.CooldownMax)
}

// crashed records a crash, and a crash loop.
func (m *model) crashed(err *errs.Error) {
	m.crashes = append(m.crashes, m.now)
	for len(m.crashes) > 0 && m.now.Sub(m.crashes[0]) > m.opts.CrashWindow {
		m.crashes = m.crashes[1:]
	}
	if len(m.crashes) < m.opts.CrashLimit {
		return
	}
	m.crashes = nil
	m.fail(err, false)
	m.crashLoop = true
	m.refuseAll(err)
}

func isCrash(r gatewayv1.EvictionReason) bool {
	switch r {
	case gatewayv1.EvictionReason_EVICTION_REASON_CRASHED, gatewayv1.EvictionReason_EVICTION_REASON_HUNG,
		gatewayv1.EvictionReason_EVICTION_REASON_OUT_OF_MEMORY:
		return true
	}
	return false
}
