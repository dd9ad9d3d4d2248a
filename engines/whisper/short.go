package whisper

import (
	"math"
	"slices"

	"github.com/lexilingo/modelgateway/engines/whisper/settings"
	"github.com/lexilingo/modelgateway/engines/whisper/speech"
	"github.com/lexilingo/modelgateway/engines/whisper/whispercpp"
)

const (
	// framesPerSecond of the encoder's positions.
	framesPerSecond = 50
	// contextMargin is the part of a shortened context beyond the audio's end, at least,
	// and contextShare its share of the audio: with less, models repeat themselves.
	contextMargin, contextShare = 128, 3
	// contextUnit is the multiple that contexts are rounded up to, for the matrix
	// kernels.
	contextUnit = 64
	// minContext is the shortest context: with 256 positions, the published models lose
	// themselves on some clips, in whisper-cli too.
	minContext = 320
)

// audioContext returns the number of the encoder's positions for a number of
// samples; 0 is all of them.
func (p parameters) audioContext(samples int, live bool) int {
	needed := samples * framesPerSecond / speech.Rate
	needed = max(minContext, needed+max(contextMargin, needed/contextShare))
	needed = (needed + contextUnit - 1) / contextUnit * contextUnit
	full := p.AudioContext == settings.AudioContextFull || p.AudioContext == settings.AudioContextAuto && !live
	if full || needed >= windowSeconds*framesPerSecond {
		return 0
	}
	return needed
}

// limit is how much a run with a shortened context may do. A model that loses itself
// repeats text up to its limit at every temperature, or advances by a small step, so that
// there is a window for each tenth of a second.
type limit struct {
	tokens, windows int
	// improbable and empty report whether improbable text, or none, is an answer.
	improbable, empty bool
	// again reports whether the audio will be heard again, so that nothing needs to be found.
	again bool
}

// limitOf returns the limit for a number of samples: more tokens than the fastest speech
// has, in scripts of which a character takes several tokens too, and more windows than
// speech with a pause needs.
func limitOf(samples int) limit {
	const spare, tokensPerSecond = 16, 25
	seconds := samples / speech.Rate
	return limit{tokens: spare + tokensPerSecond*(seconds+1), windows: 2 + seconds/10}
}

// runClip is run for a whole clip. With a shortened context, whisper.cpp has one try. If
// that exceeds the limit, repeats itself or gives no answer, the clip is transcribed again
// with the full context. Segments are then delivered at the end. If the clip will be heard
// again, runClip finds nothing instead, and reports that the clip was not understood.
func (s *stream) runClip(opts whispercpp.Options, samples []float32, l limit, window func(percent int) bool, deliver func(whispercpp.Segment) error) (understood bool, err error) {
	if opts.AudioContext == 0 && !l.again {
		return true, s.run(opts, samples, window, deliver)
	}
	found, understood, err := s.tryClip(opts, samples, l, window)
	if err != nil {
		return false, err
	}
	if !l.empty && len(found) == 0 || !l.improbable && !likely(found, opts.LogProbThreshold) {
		understood = false
	}
	if !understood {
		if l.again {
			return false, nil
		}
		if err := s.renew(); err != nil {
			return false, err
		}
		opts.AudioContext = 0
		return true, s.run(opts, samples, window, deliver)
	}
	for _, segment := range found {
		if err := deliver(segment); err != nil {
			return true, err
		}
	}
	return true, nil
}

// likely reports whether the mean log probability of the tokens is at least a threshold.
func likely(found []whispercpp.Segment, threshold float32) bool {
	sum, n := 0.0, 0
	for _, segment := range found {
		for _, token := range segment.Tokens {
			sum += math.Log(float64(token.Probability))
			n++
		}
	}
	return sum >= float64(threshold)*float64(n)
}

// repeats reports whether the end of the text repeats what is before it: the entropy of the
// last tokens is below a threshold, or the last few came twice.
func repeats(found []whispercpp.Segment, threshold float32) bool {
	const last, few = 32, 3 // last as in whisper.cpp
	var ids, text []int
	for _, segment := range found {
		for _, token := range segment.Tokens {
			if ids = append(ids, token.ID); !token.Special {
				text = append(text, token.ID)
			}
		}
	}
	for n := few; 2*n <= len(text); n++ {
		if slices.Equal(text[len(text)-n:], text[len(text)-2*n:len(text)-n]) {
			return true
		}
	}
	return len(ids) > last && entropy(ids[len(ids)-last:]) < float64(threshold)
}

// entropy returns the entropy of the distribution of numbers, in nats.
func entropy(numbers []int) float64 {
	counts := map[int]int{}
	for _, n := range numbers {
		counts[n]++
	}
	sum := 0.0
	for _, c := range counts {
		p := float64(c) / float64(len(numbers))
		sum -= p * math.Log(p)
	}
	return sum
}

// tryClip transcribes samples once. It reports whether it kept the limit and does not repeat
// itself. If every window has more tokens than it may have, whisper.cpp has no text.
func (s *stream) tryClip(opts whispercpp.Options, samples []float32, l limit, window func(percent int) bool) (found []whispercpp.Segment, understood bool, err error) {
	if err := s.fit(opts.AudioContext); err != nil {
		return nil, false, err
	}
	opts.MaxTokens, opts.TemperatureIncrement = l.tokens, 0
	windows, tokens, graphs := 0, 0, s.state.Graphs()
	err = s.run(opts, samples, func(percent int) bool {
		if window != nil && !window(percent) {
			return false
		}
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
	if len(found) == 0 {
		tokens = int(s.state.Graphs() - graphs) //nolint:gosec // a few hundred: one for each token, three for each window
	}
	return found, windows <= l.windows && tokens <= l.tokens && !repeats(found, opts.EntropyThreshold), nil
}
