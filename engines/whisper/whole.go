package whisper

import (
	"context"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/lexilingo/modelgateway/engines/audio"
	"github.com/lexilingo/modelgateway/engines/whisper/speech"
)

// whole transcribes audio in blocks, each when all of it has arrived. The segments are
// those of whisper-cli for the same audio.
func (t *transcription) whole(ctx context.Context, reader *audio.Reader) error {
	again := false // there was a run before, whose text is the context
	err := t.blocks(ctx, reader, func(b *block, c *clip) (int, error) {
		next, ran, err := t.block(b, c, again)
		again = again || ran
		return next, err
	})
	if err != nil {
		return err
	}
	return t.emitFinal()
}

// blocks splits audio into blocks and calls transcribe with each. transcribe returns
// the frame at which the next one begins.
func (t *transcription) blocks(ctx context.Context, reader *audio.Reader, transcribe func(*block, *clip) (next int, err error)) error {
	var samples []float32
	var start time.Duration // of samples, in the audio
	begin := 0              // frame in samples
	lead := leadFrames
	if t.stream.vad != nil {
		lead = 0 // the next block is transcribed from its beginning on
	}
	for {
		var more bool
		var err error
		samples, more, err = t.fill(ctx, reader, samples)
		if err != nil {
			return err
		}
		next, err := transcribe(newBlock(len(samples), begin, more), &clip{samples: samples, start: start, more: more})
		if err != nil || !more {
			return err
		}
		keep := max(0, next-lead)
		samples = slices.Clone(samples[keep*frameLength:])
		start += time.Duration(keep) * frame
		begin = next - keep
	}
}

// fill reads until a block is full. more reports whether there may be more audio.
func (t *transcription) fill(ctx context.Context, reader *audio.Reader, samples []float32) (filled []float32, more bool, err error) {
	size := t.model.parameters.BlockSeconds * speech.Rate
	var piece [speech.Rate / 4]float32
	for len(samples) < size {
		if err := ctx.Err(); err != nil {
			return nil, false, err
		}
		n, err := reader.Read(piece[:min(len(piece), size-len(samples))])
		samples = append(samples, piece[:n]...)
		t.received += n
		switch {
		case errors.Is(err, io.EOF):
			return samples, false, nil
		case err != nil:
			return nil, false, err
		}
	}
	return samples, true, nil
}

// block transcribes a block. It returns the frame at which the next one begins, and
// whether whisper.cpp was run. again reports whether there was a run before, whose text
// is the context.
func (t *transcription) block(b *block, c *clip, again bool) (next int, ran bool, err error) {
	hasSpeech, err := t.prepare(c)
	if err != nil || !hasSpeech {
		return c.rest, false, err
	}
	if !again {
		if err := t.detect(c.input(), 0); err != nil {
			return 0, false, err
		}
	}
	options := t.request.options
	window := b.window
	if c.cut != nil {
		// The clip ends in silence, so all of its speech is transcribed.
		window = nil
	} else {
		options.OffsetMilliseconds = int((time.Duration(b.begin) * frame).Milliseconds())
	}
	options.AudioContext = t.shortContext(c, b, again)
	options.KeepContext = again
	if again {
		options.InitialPrompt = ""
	}
	lastEnd, _, err := t.hear(options, c, limitOf(len(c.input())), window, t.emitSegment)
	t.omitted = t.omitted || t.uncertain
	if err != nil {
		// Do not use b here: an abandoned run still changes it.
		return 0, false, err
	}
	if c.cut != nil {
		return c.rest, true, nil
	}
	return b.next(lastEnd), true, nil
}

// shortContext returns the number of the encoder's positions for a clip that is the whole
// audio and shorter than a window; 0 is all of them.
func (t *transcription) shortContext(c *clip, b *block, again bool) int {
	if b.more || b.begin > 0 || again {
		return 0
	}
	return t.model.parameters.audioContext(len(c.input()), false)
}
