package whisper

import (
	"testing"

	"github.com/lexilingo/modelgateway/engines/whisper/settings"
	"github.com/lexilingo/modelgateway/engines/whisper/speech"
	"github.com/lexilingo/modelgateway/engines/whisper/whispercpp"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

func TestShortContext(t *testing.T) {
	p := parameters{settings.Defaults()}
	if got := p.audioContext(16000, false); got != 0 {
		t.Errorf("a full context has %d positions, want 0", got)
	}
	for name, live := range map[string]bool{settings.AudioContextAuto: true, settings.AudioContextShort: false} {
		p.AudioContext = name
		for seconds, want := range map[int]int{1: 320, 2: 320, 5: 384, 10: 704, 20: 1344, 29: 0, 60: 0} {
			if got := p.audioContext(seconds*16000, live); got != want {
				t.Errorf("%s: %d s take %d positions, want %d", name, seconds, got, want)
			}
		}
	}
	p.AudioContext = settings.AudioContextFull
	if got := p.audioContext(16000, true); got != 0 {
		t.Errorf("a full context of a live stream has %d positions, want 0", got)
	}
}

// A run with a short context that exceeds its limit is ended, and the clip gets the text
// of a full context. A limit that is not exceeded changes nothing.
func TestRunsWithAShortContextHaveALimit(t *testing.T) {
	m := load(t, starter(), nil)
	samples := speechSamples(t)[:2*speech.Rate]
	runs := 0
	text := func(context int, l limit) string {
		s, err := m.open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer s.close()
		if err := s.renew(); err != nil {
			t.Fatal(err)
		}
		req, err := m.request(&gatewayv1.TranscriptionConfig{Language: "en"})
		if err != nil {
			t.Fatal(err)
		}
		req.options.AudioContext = context
		var text string
		runs = 0
		_, err = s.runClip(req.options, samples, l, func(int) bool { runs++; return true }, func(found whispercpp.Segment) error {
			text += found.Text
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	full := text(0, limit{})
	const context = minContext
	for name, l := range map[string]limit{"no window": {tokens: 1000}, "no token": {windows: 1000, tokens: 1}} {
		if got := text(context, l); got != full || runs < 2 {
			t.Errorf("with a limit of %s: %q in %d windows; want %q in those of two runs", name, got, runs, full)
		}
	}
	if short := text(context, limitOf(len(samples))); short == "" || runs != 1 {
		t.Errorf("within the limit: %q, %d windows", short, runs)
	}
}

// The limit is above what any speech has, and far below what a model can produce.
func TestLimitDependsOnTheLength(t *testing.T) {
	for seconds, want := range map[int]limit{0: {tokens: 41, windows: 2}, 2: {tokens: 91, windows: 2}, 25: {tokens: 666, windows: 4}} {
		if got := limitOf(seconds * speech.Rate); got != want {
			t.Errorf("%d s: %+v, want %+v", seconds, got, want)
		}
	}
}
