package quota

import (
	"fmt"
	"math"
	"time"

	"golang.org/x/time/rate"

	"github.com/lexilingo/modelgateway/server/internal/config"
)

// Kind is what is limited.
type Kind int

// The kinds of limits.
const (
	Requests Kind = iota
	Tokens
	AudioIn
	AudioOut
	kinds
)

// String returns the name of the limit in header fields, errors and metrics.
func (k Kind) String() string { return [...]string{"requests", "tokens", "audio-in", "audio-out"}[k] }

const (
	// maxDebt is how far behind a caller can be.
	maxDebt = time.Hour
	// window is the time of limits that are a minute's.
	window = time.Minute
	// waitStep is what times of waiting are rounded up to.
	waitStep = time.Millisecond
)

// bucket is one limit of one caller. rate.Limiter counts in smaller units than
// callers see if scale is more than 1.
type bucket struct {
	limiter *rate.Limiter
	scale   int
	// quota is how much a caller may use in seconds.
	quota   int64
	seconds int64
}

// newBuckets returns the full buckets of a quota.
func newBuckets(q config.Quota) [kinds]*bucket {
	return [kinds]*bucket{
		Requests: newRequestBucket(q),
		Tokens:   newMinuteBucket(q.TokensPerMinute, 1),
		AudioIn:  newMinuteBucket(q.AudioInSecondsPerMinute, 1000),
		AudioOut: newMinuteBucket(q.AudioOutSecondsPerMinute, 1000),
	}
}

func newRequestBucket(q config.Quota) *bucket {
	perSecond, burst := q.RequestsPerSecond, q.RequestBurst
	if perSecond == 0 {
		return nil
	}
	if burst == 0 {
		burst = max(1, math.Ceil(2*perSecond))
	}
	seconds := max(1, math.Ceil(burst/perSecond))
	return &bucket{
		limiter: rate.NewLimiter(rate.Limit(perSecond), int(burst)), scale: 1,
		quota: int64(max(burst, perSecond*seconds)), seconds: int64(seconds),
	}
}

// newMinuteBucket returns a bucket that holds what a minute brings.
func newMinuteBucket(perMinute float64, scale int) *bucket {
	if perMinute == 0 {
		return nil
	}
	units := perMinute * float64(scale)
	return &bucket{
		limiter: rate.NewLimiter(rate.Limit(units/window.Seconds()), int(units)), scale: scale,
		quota: int64(perMinute), seconds: int64(window.Seconds()),
	}
}

func (b *bucket) full(now time.Time) bool {
	return b.limiter.TokensAt(now) >= float64(b.limiter.Burst())
}

// take takes one unit that callers see, if it is there.
func (b *bucket) take(now time.Time) bool { return b.limiter.AllowN(now, b.scale) }

// has reports whether one is there.
func (b *bucket) has(now time.Time) bool { return b.limiter.TokensAt(now) >= float64(b.scale) }

// charge takes n small units, and reports whether they were there.
func (b *bucket) charge(now time.Time, n int64) bool {
	debt := float64(b.limiter.Limit()) * maxDebt.Seconds()
	left := int(min(float64(n), b.limiter.TokensAt(now)+debt))
	for left > 0 { // a rate.Limiter gives at most its burst at once, but may be asked again
		part := min(left, b.limiter.Burst())
		b.limiter.ReserveN(now, part)
		left -= part
	}
	return b.limiter.TokensAt(now) >= 0
}

// remaining returns how many units that callers see are left.
func (b *bucket) remaining(now time.Time) int64 {
	return max(0, int64(math.Floor(b.limiter.TokensAt(now)/float64(b.scale))))
}

// wait returns how long until one more is left than now; 0 if all are.
func (b *bucket) wait(now time.Time) time.Duration {
	return b.until(now, min(float64(b.limiter.Burst()), float64(b.remaining(now)+1)*float64(b.scale)))
}

// reset returns how long until all are left.
func (b *bucket) reset(now time.Time) time.Duration { return b.until(now, float64(b.limiter.Burst())) }

// until returns how long until the level is there, rounded up.
func (b *bucket) until(now time.Time, level float64) time.Duration {
	missing := level - b.limiter.TokensAt(now)
	if missing <= 0 {
		return 0
	}
	wait := time.Duration(missing / float64(b.limiter.Limit()) * float64(time.Second))
	return (wait + waitStep - 1).Truncate(waitStep)
}

// describe says what the limit is.
func (b *bucket) describe(kind Kind) string {
	switch kind {
	case Requests:
		return fmt.Sprintf("%v requests a second", float64(b.limiter.Limit()))
	case Tokens:
		return fmt.Sprintf("%d tokens a minute", b.quota)
	case AudioIn:
		return fmt.Sprintf("%d seconds of audio to hear a minute", b.quota)
	default:
		return fmt.Sprintf("%d seconds of speech to make a minute", b.quota)
	}
}
