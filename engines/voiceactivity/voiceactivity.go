// Package voiceactivity finds out when somebody speaks in live audio, by how much louder
// that is than what was there before. It needs no model.
package voiceactivity

import (
	"encoding/binary"
	"math"
	"time"
)

// FrameDuration is the length of audio that is decided about at once.
const FrameDuration = 20 * time.Millisecond

const (
	// startFrames of the last windowFrames must be loud for speech to begin: a click
	// is shorter.
	startFrames, windowFrames = 5, 8
	// backgroundFrames is the time in which the quietest moment is the background:
	// longer than people speak without closing their lips.
	backgroundFrames = 150
	// blockFrames is how often the background is found again.
	blockFrames = 10
)

// Options say what speech is.
type Options struct {
	// Threshold is from 0 to 1: how much louder than the background speech is, and how
	// loud at least.
	Threshold float64
	// Silence is how long nobody speaks until speech has ended.
	Silence time.Duration
}

// margin is how much louder than the background speech is, in decibels.
func (o Options) margin() float64 { return 3 + 12*o.Threshold }

// floor is the level below which nothing is speech, in decibels below full scale.
func (o Options) floor() float64 { return -60 + 20*o.Threshold }

// Detector decides about one stream of mono samples.
type Detector struct {
	opts      Options
	frame     int     // samples
	last, out float64 // of the filter
	window    [windowFrames]bool
	at        int // frames so far
	quiet     int // frames since the last loud ones
	speaking  bool

	// blocks has the lowest level of each of the last blocks, and low that of the
	// block that has begun.
	blocks [backgroundFrames / blockFrames]float64
	low    float64
}

// New returns a detector for samples at rate hertz.
func New(rate int, opts Options) *Detector {
	d := &Detector{opts: opts, frame: rate * int(FrameDuration/time.Millisecond) / 1000, low: math.Inf(1)}
	for i := range d.blocks {
		d.blocks[i] = math.Inf(-1) // until the background is known, all that is loud enough is speech
	}
	return d
}

// FrameSamples is the number of samples of a frame.
func (d *Detector) FrameSamples() int { return d.frame }

// FrameBytes is the size of a frame of 16-bit samples.
func (d *Detector) FrameBytes() int { return 2 * d.frame }

// StartDelay is how long speech lasts before Add reports it.
func (d *Detector) StartDelay() time.Duration { return windowFrames * FrameDuration }

// Set changes what speech is.
func (d *Detector) Set(opts Options) { d.opts = opts }

// Reset ends the speech, if there is one. The background stays known.
func (d *Detector) Reset() {
	d.speaking, d.window = false, [windowFrames]bool{}
}

// Add adds a frame of 16-bit samples, little-endian, and reports whether somebody speaks.
func (d *Detector) Add(frame []byte) bool {
	sum, n := 0.0, len(frame)/2
	for i := range n {
		sum += d.power(float64(int16(binary.LittleEndian.Uint16(frame[2*i:]))) / (1 << 15)) //nolint:gosec // the sign is in the highest bit
	}
	return d.add(decibels(sum, n))
}

// AddSamples adds a frame of samples from -1 to 1 and reports whether somebody speaks.
func (d *Detector) AddSamples(frame []float32) bool {
	sum := 0.0
	for _, sample := range frame {
		sum += d.power(float64(sample))
	}
	return d.add(decibels(sum, len(frame)))
}

// add adds a frame of a level in decibels.
func (d *Detector) add(level float64) bool {
	loud := level >= d.opts.floor() && level >= d.background()+d.opts.margin()
	d.learn(level)
	d.window[d.at%windowFrames] = loud
	d.at++
	recent := 0
	for _, l := range d.window {
		if l {
			recent++
		}
	}
	switch {
	case !d.speaking && recent >= startFrames:
		d.speaking, d.quiet = true, 0
	case d.speaking && loud && recent > 1: // one loud frame alone is a click
		d.quiet = 0
	case d.speaking:
		d.quiet++
		if time.Duration(d.quiet)*FrameDuration >= d.opts.Silence {
			d.Reset()
		}
	}
	return d.speaking
}

// background is the level of the quietest moment of late.
func (d *Detector) background() float64 {
	lowest := d.blocks[0]
	for _, b := range d.blocks[1:] {
		lowest = min(lowest, b)
	}
	return lowest
}

func (d *Detector) learn(level float64) {
	d.low = min(d.low, level)
	if d.at%blockFrames == blockFrames-1 {
		d.blocks[d.at/blockFrames%len(d.blocks)] = d.low
		d.low = math.Inf(1)
	}
}

// power returns the power of a sample. Hum and a constant offset do not count.
func (d *Detector) power(sample float64) float64 {
	const pole = 0.97 // 115 Hz at 24 kHz
	d.out = sample - d.last + pole*d.out
	d.last = sample
	return d.out * d.out
}

// decibels returns the level of n samples with this power, below full scale.
func decibels(power float64, n int) float64 {
	if n == 0 || power == 0 {
		return math.Inf(-1)
	}
	return 10 * math.Log10(power/float64(n))
}
