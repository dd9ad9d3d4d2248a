package paramtest

import (
	"slices"
	"testing"
)

func TestPassedOn(t *testing.T) {
	type parameters struct {
		Text    string
		Number  int
		Part    float32
		Flag    bool
		Pointer *float64
	}
	all := func(p parameters) any { return p }
	PassedOn(t, parameters{}, all, nil)
	withoutNumber := func(p parameters) any { p.Number = 0; return p }
	PassedOn(t, parameters{}, withoutNumber, map[string]string{"Number": "a.go"})
	for _, c := range []struct {
		use       func(parameters) any
		elsewhere map[string]string
		want      string
	}{
		{withoutNumber, nil, "the parameter Number is not passed on"},
		{all, map[string]string{"Number": "a.go"}, "the parameter Number is passed on; the test says that it is used elsewhere: a.go"},
		{all, map[string]string{"Other": "a.go"}, "the test names the parameter Other, which does not exist"},
	} {
		if got := problems(parameters{}, c.use, c.elsewhere); !slices.Equal(got, []string{c.want}) {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}
