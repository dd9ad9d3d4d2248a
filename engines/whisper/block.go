package whisper

import (
	"time"

	"github.com/lexilingo/modelgateway/engines/whisper/speech"
)

// Whisper seeks through audio by windows of 30 s, each of which begins where the
// last timestamp of the one before it stood. Audio of any length is transcribed by
// blocks: a block ends before the first window that would reach past its end, and
// the next block begins there. The text so far goes on as context. So the windows
// are the same as in one run over the whole; what differs is that the loudest
// moment, which the spectrogram is scaled by, is looked for in the block.

const (
	// frame is the unit of whisper.cpp's seeking: 10 ms.
	frame       = 10 * time.Millisecond
	frameLength = speech.Rate / 100
	// windowFrames is a window.
	windowFrames = windowSeconds * 100
	// edgeFrames is the room that a window keeps from a block's end, where the
	// spectrogram and whisper.cpp's rules know that the audio ends.
	edgeFrames = 20
	// leadFrames is the audio before a block's begin that is kept, since a frame
	// of the spectrogram covers more than its 10 ms.
	leadFrames = 20
)

// block is a stretch of the audio that is transcribed in one run.
type block struct {
	// begin is the frame in its samples where transcribing begins.
	begin int
	// frames is the number of its frames.
	frames int
	// more tells that the audio goes on after it.
	more bool
	// stopped is the progress, in percent, at which it was stopped; -1 if it was
	// not.
	stopped int
}

func newBlock(samples, begin int, more bool) *block {
	return &block{begin: begin, frames: samples / frameLength, more: more, stopped: -1}
}

// seek bounds where whisper.cpp stands by its progress, which is in whole percent.
func (b *block) seek(percent int) (least, most int) {
	length := b.frames - b.begin
	return b.begin + percent*length/100, b.begin + ((percent+1)*length+99)/100
}

// window tells whether the next window is in the block for sure.
func (b *block) window(percent int) bool {
	if !b.more {
		return true
	}
	if _, most := b.seek(percent); most+windowFrames+edgeFrames <= b.frames || percent == 0 {
		return true
	}
	b.stopped = percent
	return false
}

// next is the frame where the next block goes on, given the end of the last
// segment: there, or where the window was that has no text after it.
func (b *block) next(lastEnd int) int {
	if b.stopped < 0 {
		return b.frames
	}
	least, _ := b.seek(b.stopped)
	return min(max(lastEnd, least, b.begin+1), b.frames)
}
