// Package speech removes silence from audio before it is transcribed, and maps times
// of the result back to the original audio. All audio is 16 kHz mono.
package speech

import "time"

// Rate is the sample rate in hertz.
const Rate = 16000

// Stretch is an interval of time in hundredths of a second.
type Stretch struct{ Start, End int }

// centisecond is the unit of whisper.cpp's times.
const centisecond = Rate / 100

// gap is the silence between two stretches of speech, as in whisper-cli --vad.
const gap = Rate / 10

// Cut is audio without its silence.
type Cut struct {
	// Samples are the stretches of speech, one after the other, with a short silence
	// between them.
	Samples []float32
	points  []point
}

// point maps a time in the cut audio to one in the original audio, in hundredths of a
// second.
type point struct{ cut, original int }

// NewCut returns the stretches of speech of samples. speech must be in order. Each
// stretch but the last is extended by overlap samples, so that a word at its end is
// complete. The result is that of whisper.cpp's voice activity detection.
func NewCut(samples []float32, speech []Stretch, overlap int) *Cut {
	c := &Cut{}
	last := len(samples) - 1
	for i, s := range speech {
		start, end := min(s.Start*centisecond, last), min(s.End*centisecond, last)
		length := end - start
		if i < len(speech)-1 {
			end = min(end+overlap, last)
		}
		if end <= start {
			continue
		}
		at := len(c.Samples)
		c.add(at, s.Start)
		c.add(at+length, s.End)
		c.Samples = append(c.Samples, samples[start:end]...)
		if i < len(speech)-1 {
			at = len(c.Samples)
			c.add(at, s.End)
			c.add(at+gap, speech[i+1].Start)
			c.Samples = append(c.Samples, make([]float32, gap)...)
		}
	}
	return c
}

// Complete returns the stretches of speech that are complete, for audio that
// continues. Speech at the end of the audio is left out, so that it can be transcribed
// together with its continuation. rest is the time, in hundredths of a second, at which
// the left-out part begins: in silence, after all returned stretches. length is the
// length of the audio, and reserve is how much of its end may contain speech that is
// still too short to be found. If the last three quarters of the audio have no silence,
// all speech is returned and rest is length.
func Complete(speech []Stretch, length, reserve int) (complete []Stretch, rest int) {
	rest = length - min(reserve, length/4)
	if len(speech) == 0 {
		return nil, rest
	}
	last := speech[len(speech)-1]
	if last.End < length-1 {
		return speech, max(last.End, rest)
	}
	for i := len(speech) - 1; i >= 0 && speech[i].Start >= length/4; i-- {
		before := 0
		if i > 0 {
			before = speech[i-1].End
		}
		if before < speech[i].Start { // otherwise long speech was split here
			return speech[:i], (before + speech[i].Start) / 2
		}
	}
	return speech, length
}

// add adds a point. The points are sorted by the time in the cut audio, because the
// overlap changes their order.
func (c *Cut) add(samples, original int) {
	p := point{cut: (samples + centisecond/2) / centisecond, original: original}
	i := len(c.points)
	for i > 0 && c.points[i-1].cut > p.cut {
		i--
	}
	if i > 0 && c.points[i-1].cut == p.cut {
		return
	}
	c.points = append(c.points, point{})
	copy(c.points[i+1:], c.points[i:])
	c.points[i] = p
}

// Original returns the time in the original audio of a time in the cut audio.
func (c *Cut) Original(t time.Duration) time.Duration {
	at := int(t / (10 * time.Millisecond))
	if len(c.points) == 0 {
		return t
	}
	i := 0
	for i < len(c.points) && c.points[i].cut < at {
		i++
	}
	var original int
	switch {
	case i == 0:
		original = c.points[0].original
	case i == len(c.points):
		original = c.points[i-1].original
	default:
		a, b := c.points[i-1], c.points[i]
		original = a.original + (at-a.cut)*(b.original-a.original)/(b.cut-a.cut)
	}
	return time.Duration(original) * 10 * time.Millisecond
}

// Silent reports whether no sample is louder than threshold, which is 0 to 1.
func Silent(samples []float32, threshold float32) bool {
	for _, s := range samples {
		if s > threshold || s < -threshold {
			return false
		}
	}
	return true
}

// Index returns the index of the sample at a time.
func Index(t time.Duration) int { return int(t.Microseconds() * Rate / 1e6) }

// Duration returns the duration of a number of samples.
func Duration(samples int) time.Duration {
	return time.Duration(samples) * (time.Second / Rate)
}
