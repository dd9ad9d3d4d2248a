package config

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/lexilingo/modelgateway/internal/suggest"
)

// Quota is how much one caller may use. 0 is no limit, except for RequestBurst.
type Quota struct {
	// RequestsPerSecond is how many requests a caller may send in the long run.
	RequestsPerSecond float64 `yaml:"requests_per_second"`
	// RequestBurst is how many requests may come at once; 0: those of two seconds.
	RequestBurst float64 `yaml:"request_burst"`
	// TokensPerMinute is how many tokens language models may read and write.
	TokensPerMinute float64 `yaml:"tokens_per_minute"`
	// AudioInSecondsPerMinute is how much audio models may hear.
	AudioInSecondsPerMinute float64 `yaml:"audio_in_seconds_per_minute"`
	// AudioOutSecondsPerMinute is how much speech models may make.
	AudioOutSecondsPerMinute float64 `yaml:"audio_out_seconds_per_minute"`
}

// MaxWeight is the greatest weight of a caller.
const MaxWeight = 100

// maxQuota bounds every value of a quota, so that a burst fits in an int.
const maxQuota = 1e9

// values returns the fields by the names that they have in files.
func (q *Quota) values() map[string]*float64 {
	return map[string]*float64{
		"requests_per_second":          &q.RequestsPerSecond,
		"request_burst":                &q.RequestBurst,
		"tokens_per_minute":            &q.TokensPerMinute,
		"audio_in_seconds_per_minute":  &q.AudioInSecondsPerMinute,
		"audio_out_seconds_per_minute": &q.AudioOutSecondsPerMinute,
	}
}

// Override returns the quota with other values, by their names. It skips names that
// do not exist.
func (q Quota) Override(other map[string]float64) Quota {
	if len(other) == 0 {
		return q
	}
	values := q.values()
	for name, v := range other {
		if field, ok := values[name]; ok {
			*field = v
		}
	}
	return q
}

// Empty reports whether nothing is limited.
func (q Quota) Empty() bool { q.RequestBurst = 0; return q == Quota{} }

// CheckLimit returns an error if a value of a quota does not exist or is out of range.
func CheckLimit(name string, value float64) error {
	known := slices.Sorted(maps.Keys((&Quota{}).values()))
	least, what := 1.0, "a whole number from 1"
	if name == "requests_per_second" {
		least, what = 0.001, "a number from 0.001"
	}
	switch {
	case !slices.Contains(known, name):
		return fmt.Errorf("there is no limit %.100q: limits are %s%s", name, strings.Join(known, ", "), suggest.DidYouMean(name, known))
	case value == 0:
		return nil
	case !(value >= least && value <= maxQuota) || least == 1 && value != math.Trunc(value):
		return fmt.Errorf("%s is %v: it must be 0, or %s to %d", name, value, what, int64(maxQuota))
	}
	return nil
}

// checkQuota checks the quota of callers.
func (c *Config) checkQuota(bad complain) {
	values := c.Limits.Caller.values()
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if err := CheckLimit(name, *values[name]); err != nil {
			bad("limits.caller: %w", err)
		}
	}
}
