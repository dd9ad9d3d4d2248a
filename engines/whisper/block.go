package whisper

import (
	"time"

	"github.com/lexilingo/modelgateway/engines/whisper/speech"
)

// whisper.cpp transcribes audio in windows of 30 s, each of which begins at the last
// timestamp of the one before it. Audio of any length is transcribed in blocks: a
// block ends before the first window that would extend past its end, and the next
// block begins there, with the text so far as context. The windows are therefore
// those of one run over the whole audio. The only difference is that the spectrogram
// is scaled by the loudest moment of the block, not of the whole.

const (
	// frame is the unit of whisper.cpp's positions: 10 ms.
	frame       = 10 * time.Millisecond
	frameLength = speech.Rate / 100
	// windowFrames is the length of a window.
	windowFrames = windowSeconds * 100
	// edgeFrames is the minimum distance of a window from the end of a block, where
	// the end of the audio affects the spectrogram and whisper.cpp's rules.
	edgeFrames = 20
	// leadFrames is how much audio before the beginning of a block is kept, because
	// a frame of the spectrogram covers more than its 10 ms.
	leadFrames = 20
)

// block is a stretch of the audio that is transcribed in one run.
type block struct {
	// begin is the frame in the samples at which the transcription begins.
	begin int
	// frames is the length.
	frames int
	// more reports whether there is audio after the block.
	more bool
	// stopped is the progress in percent at which the run was stopped; -1 if it was
	// not stopped.
	stopped int
}

func newBlock(samples, begin int, more bool) *block {
	return &block{begin: begin, frames: samples / frameLength, more: more, stopped: -1}
}

// seekRange returns the range of frames in which whisper.cpp's position is, given its
// progress in whole percent.
func (b *block) seekRange(percent int) (first, last int) {
	length := b.frames - b.begin
	return b.begin + percent*length/100, b.begin + ((percent+1)*length+99)/100
}

// window reports whether the next window certainly lies within the block. If not,
// the run stops there.
func (b *block) window(percent int) bool {
	if !b.more {
		return true
	}
	if _, last := b.seekRange(percent); last+windowFrames+edgeFrames <= b.frames || percent == 0 {
		return true
	}
	b.stopped = percent
	return false
}

// next returns the frame at which the next block begins, given the end of the last
// segment: that end, or the position at which the run was stopped if it is later.
func (b *block) next(lastEnd int) int {
	if b.stopped < 0 {
		return b.frames
	}
	first, _ := b.seekRange(b.stopped)
	return min(max(lastEnd, first, b.begin+1), b.frames)
}
