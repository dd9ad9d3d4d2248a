package speech

import (
	"testing"
	"time"
)

func TestCut(t *testing.T) {
	samples := make([]float32, 10*Rate)
	for i := range samples {
		samples[i] = float32(i)
	}
	c := NewCut(samples, []Stretch{{100, 200}, {500, 600}}, Rate/10)
	// 1 s of speech, 0.1 s of overlap, 0.1 s of silence, 1 s of speech.
	if want := 2*Rate + 2*Rate/10; len(c.Samples) != want {
		t.Fatalf("%d samples, want %d", len(c.Samples), want)
	}
	if c.Samples[0] != Rate || c.Samples[Rate+Rate/10-1] != 2*Rate+Rate/10-1 || c.Samples[Rate+Rate/10] != 0 || c.Samples[Rate+Rate/5] != 5*Rate {
		t.Error("the stretches lie elsewhere")
	}
	for _, p := range []struct{ cut, whole time.Duration }{
		{0, time.Second}, {500 * time.Millisecond, 1500 * time.Millisecond}, {time.Second, 2 * time.Second},
		{1100 * time.Millisecond, 2 * time.Second}, {1150 * time.Millisecond, 3500 * time.Millisecond},
		{1200 * time.Millisecond, 5 * time.Second}, {1700 * time.Millisecond, 5500 * time.Millisecond},
		{2200 * time.Millisecond, 6 * time.Second}, {time.Minute, 6 * time.Second},
	} {
		if got := c.Whole(p.cut); got != p.whole {
			t.Errorf("%v is %v of the whole, want %v", p.cut, got, p.whole)
		}
	}
	last := time.Duration(0)
	for at := time.Duration(0); at < 3*time.Second; at += 10 * time.Millisecond {
		if got := c.Whole(at); got < last {
			t.Fatalf("time goes back at %v: %v after %v", at, got, last)
		} else {
			last = got
		}
	}
}

func TestCutOfNothing(t *testing.T) {
	if c := NewCut(make([]float32, Rate), nil, 0); len(c.Samples) != 0 || c.Whole(time.Second) != time.Second {
		t.Errorf("%d samples", len(c.Samples))
	}
	// Beyond the audio's end.
	if c := NewCut(make([]float32, Rate), []Stretch{{50, 900}, {900, 950}}, Rate); len(c.Samples) > Rate {
		t.Errorf("%d samples", len(c.Samples))
	}
}

func TestSilent(t *testing.T) {
	for _, c := range []struct {
		samples []float32
		silent  bool
	}{{nil, true}, {[]float32{0, 0.0001, -0.0001}, true}, {[]float32{0, 0.1}, false}, {[]float32{0, -0.1}, false}} {
		if Silent(c.samples, 0.0003) != c.silent {
			t.Errorf("%v", c.samples)
		}
	}
	if Index(time.Second) != Rate || Duration(Rate) != time.Second {
		t.Error("a second is no second")
	}
}

func TestClosed(t *testing.T) {
	for name, c := range map[string]struct {
		speech []Stretch
		kept   int
		rest   int
	}{
		"nothing":                       {nil, 0, 900},
		"speech that is over":           {[]Stretch{{100, 200}, {300, 400}}, 2, 900},
		"speech just over":              {[]Stretch{{100, 200}, {300, 950}}, 2, 950},
		"speech that goes on":           {[]Stretch{{100, 200}, {400, 1000}}, 1, 300},
		"speech up to the last frame":   {[]Stretch{{100, 200}, {400, 999}}, 1, 300},
		"one speech that goes on":       {[]Stretch{{400, 1000}}, 0, 200},
		"speech split for its length":   {[]Stretch{{100, 200}, {400, 700}, {700, 1000}}, 1, 300},
		"nothing but speech":            {[]Stretch{{0, 1000}}, 1, 1000},
		"silence at the beginning only": {[]Stretch{{100, 1000}}, 1, 1000},
	} {
		if _, rest := Closed(c.speech, 1000, 1<<20); rest <= 0 {
			t.Errorf("%s: with a large reserve the rest is from %d: there is no end", name, rest)
		}
		kept, rest := Closed(c.speech, 1000, 100)
		if len(kept) != c.kept || rest != c.rest {
			t.Errorf("%s: %d stretches kept, %v, the rest from %d; want %d and %d", name, len(kept), kept, rest, c.kept, c.rest)
		}
	}
}
