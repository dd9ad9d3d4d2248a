package whisper

import (
	"github.com/lexilingo/modelgateway/engines/whisper/settings"
	"github.com/lexilingo/modelgateway/engines/whisper/speech"
	"github.com/lexilingo/modelgateway/engines/whisper/whispercpp"
)

const (
	// framesPerSecond of the encoder's positions.
	framesPerSecond = 50
	// contextMargin is the part of a shortened context beyond the audio's end: with
	// less, models repeat themselves.
	contextMargin = 128
	// contextUnit is the multiple that contexts are rounded up to, for the matrix
	// kernels.
	contextUnit = 64
	// minContext is the shortest context: with 256 positions, the published models lose
	// themselves on some clips, in whisper-cli too.
	minContext = 320
)

// audioContext returns the number of the encoder's positions for a number of
// samples; 0 is all of them.
func (p parameters) audioContext(samples int) int {
	needed := max(minContext, samples*framesPerSecond/speech.Rate+contextMargin)
	needed = (needed + contextUnit - 1) / contextUnit * contextUnit
	if p.AudioContext == settings.AudioContextFull || needed >= windowSeconds*framesPerSecond {
		return 0
	}
	return needed
}

// limit is how much a run with a shortened context may do. A model that loses itself
// repeats text up to its limit at every temperature, or advances by a small step, so that
// there is a window for each tenth of a second.
type limit struct{ tokens, windows int }

// limitOf returns the limit for a number of samples: more tokens than the fastest speech
// has, in scripts of which a character takes several tokens too, and more windows than
// speech with a pause needs.
func limitOf(samples int) limit {
	const spare, tokensPerSecond = 16, 25
	seconds := samples / speech.Rate
	return limit{tokens: spare + tokensPerSecond*(seconds+1), windows: 2 + seconds/10}
}

// runClip is run if the options do not have a shortened context. If they do, samples must
// be a whole clip: if the run exceeds the limit or finds nothing, the clip is transcribed
// again with the full context. Segments are then delivered at the end.
func (s *stream) runClip(opts whispercpp.Options, samples []float32, l limit, window func(percent int) bool, deliver func(whispercpp.Segment) error) error {
	if opts.AudioContext == 0 {
		return s.run(opts, samples, window, deliver)
	}
	found, within, err := s.runShort(opts, samples, l)
	if err != nil {
		return err
	}
	if !within {
		if err := s.renew(); err != nil {
			return err
		}
		opts.AudioContext = 0
		return s.run(opts, samples, window, deliver)
	}
	for _, segment := range found {
		if err := deliver(segment); err != nil {
			return err
		}
	}
	return nil
}

// runShort transcribes samples with a shortened context. It reports whether that found
// text, within the limit: if every window has more tokens than it may have, there is none.
func (s *stream) runShort(opts whispercpp.Options, samples []float32, l limit) (found []whispercpp.Segment, within bool, err error) {
	opts.MaxTokens = l.tokens
	windows, tokens := 0, 0
	err = s.run(opts, samples, func(int) bool {
		windows++
		return windows <= l.windows
	}, func(segment whispercpp.Segment) error {
		found = append(found, segment)
		tokens += len(segment.Tokens)
		return nil
	})
	if err != nil {
		// Do not use windows here: an abandoned run still changes it.
		return nil, false, err
	}
	return found, len(found) > 0 && windows <= l.windows && tokens <= l.tokens, nil
}
