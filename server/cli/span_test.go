package cli

import (
	"testing"
	"time"
)

func TestSpan(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"30d": 720 * time.Hour, "2w": 336 * time.Hour, "12h": 12 * time.Hour, "1h30m": 90 * time.Minute, "365d": 8760 * time.Hour,
	} {
		if d, err := parseSpan(text); err != nil || d != want {
			t.Errorf("%s: %s, %v", text, d, err)
		}
	}
	for _, text := range []string{"", "d", "-1d", "0d", "0s", "-1h", "1.5d", "30", "30 d", "1d12h", "99999999999d", "65535w", "36501w", "36501d", "never", "30D"} {
		if d, err := parseSpan(text); err == nil {
			t.Errorf("%q: %s", text, d)
		}
	}
}
