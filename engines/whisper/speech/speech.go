// Package speech leaves out what is no speech before audio is transcribed, and
// finds times again afterwards. All audio is 16 kHz mono.
package speech

import "time"

// Rate is the number of samples in a second.
const Rate = 16000

// Stretch is a stretch of time in hundredths of a second.
type Stretch struct{ Start, End int }

// centisecond is the unit of whisper.cpp's times.
const centisecond = Rate / 100

// gap is the silence between two stretches of speech, as in whisper-cli --vad.
const gap = Rate / 10

// Cut is audio without its silence.
type Cut struct {
	// Samples are the stretches of speech, one after the other, with a little
	// silence between them.
	Samples []float32
	points  []point
}

// point says which time of the cut audio is which of the whole, in hundredths of
// a second.
type point struct{ cut, whole int }

// NewCut keeps the stretches of speech that a voice activity model found, which
// are in order. Each but the last goes on for overlap samples, so that a word at
// its edge is heard whole. The cut is the same as whisper.cpp's.
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

// Closed leaves out the speech at the end of audio that goes on, so that it is
// heard in one piece with what follows, and returns where it begins, in hundredths
// of a second: in silence, after all the speech that is kept. length is the
// audio's, and reserve is how much of its end may hold speech that was too short to
// be found. Where no silence is in the audio's last three quarters, it is cut at its end.
func Closed(speech []Stretch, length, reserve int) (closed []Stretch, rest int) {
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
		if before < speech[i].Start { // else speech was split for its length
			return speech[:i], (before + speech[i].Start) / 2
		}
	}
	return speech, length
}

// add notes a point; overlap makes some come out of order, of which the earlier
// time of the cut audio goes first.
func (c *Cut) add(samples, whole int) {
	p := point{cut: (samples + centisecond/2) / centisecond, whole: whole}
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

// Whole returns the time in the whole audio of a time in the cut one.
func (c *Cut) Whole(t time.Duration) time.Duration {
	at := int(t / (10 * time.Millisecond))
	if len(c.points) == 0 {
		return t
	}
	i := 0
	for i < len(c.points) && c.points[i].cut < at {
		i++
	}
	var whole int
	switch {
	case i == 0:
		whole = c.points[0].whole
	case i == len(c.points):
		whole = c.points[i-1].whole
	default:
		a, b := c.points[i-1], c.points[i]
		whole = a.whole + (at-a.cut)*(b.whole-a.whole)/(b.cut-a.cut)
	}
	return time.Duration(whole) * 10 * time.Millisecond
}

// Silent tells whether no sample is louder than threshold, 0 to 1.
func Silent(samples []float32, threshold float32) bool {
	for _, s := range samples {
		if s > threshold || s < -threshold {
			return false
		}
	}
	return true
}

// Index returns the sample at a time.
func Index(t time.Duration) int { return int(t.Microseconds() * Rate / 1e6) }

// Duration returns the time of a number of samples.
func Duration(samples int) time.Duration {
	return time.Duration(samples) * (time.Second / Rate)
}
