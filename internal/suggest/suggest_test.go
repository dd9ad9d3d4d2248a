package suggest

import "testing"

func TestDidYouMean(t *testing.T) {
	known := []string{"low", "normal", "high", "critical"}
	for word, want := range map[string]string{
		"hihg":      `; did you mean "high"?`,
		"NORMALE":   `; did you mean "normal"?`,
		"something": "",
		"":          "",
	} {
		if got := DidYouMean(word, known); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
	if got := Nearest("b", []string{"d", "c"}); got != "c" {
		t.Errorf("of two words at the same distance it returns %q", got)
	}
}
