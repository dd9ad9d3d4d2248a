package cli

import (
	"fmt"
	"strconv"
	"time"
)

// span is a time that may be long: a duration, or a number of days ("30d") or weeks
// ("2w").
type span time.Duration

const (
	day = 24 * time.Hour
	// maxDays is more than anyone needs.
	maxDays = 36_500
)

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *span) UnmarshalText(text []byte) error {
	d, err := parseSpan(string(text))
	if err != nil {
		return err
	}
	*s = span(d)
	return nil
}

func parseSpan(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if unit := unitDays(text); unit > 0 {
		var n uint64
		n, err = strconv.ParseUint(text[:len(text)-1], 10, 16)
		d = time.Duration(min(int(n)*unit, maxDays+1)) * day //nolint:gosec // n has 16 bits
	}
	if err != nil {
		return 0, fmt.Errorf("%q is not a time such as 30d, 2w or 12h", text)
	}
	if d <= 0 || d > maxDays*day {
		return 0, fmt.Errorf("%q must be more than nothing and at most 100 years", text)
	}
	return d, nil
}

// unitDays returns how many days the unit at the end of a text has; 0 for other units.
func unitDays(text string) int {
	if text == "" {
		return 0
	}
	return map[byte]int{'d': 1, 'w': 7}[text[len(text)-1]]
}
