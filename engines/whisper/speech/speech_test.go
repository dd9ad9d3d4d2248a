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
		t.Error("the stretches are at other positions")
	}
	for _, p := range []struct{ cut, original time.Duration }{
		{0, time.Second}, {500 * time.Millisecond, 1500 * time.Millisecond}, {time.Second, 2 * time.Second},
		{1100 * time.Millisecond, 2 * time.Second}, {1150 * time.Millisecond, 3500 * time.Millisecond},
		{1200 * time.Millisecond, 5 * time.Second}, {1700 * time.Millisecond, 5500 * time.Millisecond},
		{2200 * time.Millisecond, 6 * time.Second}, {time.Minute, 6 * time.Second},
	} {
		if got := c.Original(p.cut); got != p.original {
			t.Errorf("%v is %v of the original, want %v", p.cut, got, p.original)
		}
	}
	last := time.Duration(0)
	for at := time.Duration(0); at < 3*time.Second; at += 10 * time.Millisecond {
		if got := c.Original(at); got < last {
			t.Fatalf("the time decreases at %v: %v after %v", at, got, last)
		} else {
			last = got
		}
	}
}

func TestCutWithoutSpeech(t *testing.T) {
	if c := NewCut(make([]float32, Rate), nil, 0); len(c.Samples) != 0 || c.Original(time.Second) != time.Second {
		t.Errorf("%d samples", len(c.Samples))
	}
	// Stretches after the end of the audio.
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
		t.Error("Index and Duration do not agree with Rate")
	}
}

func TestComplete(t *testing.T) {
	for name, c := range map[string]struct {
		speech []Stretch
		kept   int
		rest   int
	}{
		"no speech":                     {nil, 0, 900},
		"speech that has ended":         {[]Stretch{{100, 200}, {300, 400}}, 2, 900},
		"speech that has just ended":    {[]Stretch{{100, 200}, {300, 950}}, 2, 950},
		"speech that continues":         {[]Stretch{{100, 200}, {400, 1000}}, 1, 300},
		"speech up to the last frame":   {[]Stretch{{100, 200}, {400, 999}}, 1, 300},
		"one stretch that continues":    {[]Stretch{{400, 1000}}, 0, 200},
		"speech split for its length":   {[]Stretch{{100, 200}, {400, 700}, {700, 1000}}, 1, 300},
		"nothing but speech":            {[]Stretch{{0, 1000}}, 1, 1000},
		"silence at the beginning only": {[]Stretch{{100, 1000}}, 1, 1000},
	} {
		if _, rest := Complete(c.speech, 1000, 1<<20); rest <= 0 {
			t.Errorf("%s: with a large reserve the rest begins at %d: blocks would not advance", name, rest)
		}
		kept, rest := Complete(c.speech, 1000, 100)
		if len(kept) != c.kept || rest != c.rest {
			t.Errorf("%s: %d complete stretches %v, the rest begins at %d; want %d and %d", name, len(kept), kept, rest, c.kept, c.rest)
		}
	}
}
