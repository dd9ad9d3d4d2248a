package whisper

import (
	"context"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/lexilingo/modelgateway/engines/audio"
	"github.com/lexilingo/modelgateway/engines/whisper/speech"
	"github.com/lexilingo/modelgateway/engines/whisper/whispercpp"
)

// whole transcribes audio when all of it, or a block, is there: the segments are
// those of whisper-cli on the same audio.
func (t *transcription) whole(ctx context.Context, reader *audio.Reader) error {
	again := false // there was a run, whose text is the context
	err := t.blocks(ctx, reader, func(b *block, c *clip) (int, error) {
		next, ran, err := t.block(b, c, again)
		again = again || ran
		return next, err
	})
	if err != nil {
		return err
	}
	return t.finish()
}

// blocks cuts audio into blocks and gives each to transcribe, which returns the
// frame where the next one begins.
func (t *transcription) blocks(ctx context.Context, reader *audio.Reader, transcribe func(*block, *clip) (next int, err error)) error {
	var samples []float32
	var start time.Duration // of samples, in the audio
	begin := 0              // frame in samples
	lead := leadFrames
	if t.stream.vad != nil {
		lead = 0 // what is kept is heard from its beginning on
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

// fill reads until a block is full; more tells that the audio goes on.
func (t *transcription) fill(ctx context.Context, reader *audio.Reader, samples []float32) (filled []float32, more bool, err error) {
	size := t.model.parameters.BlockSeconds * speech.Rate
	var piece [speech.Rate / 4]float32
	for len(samples) < size {
		if err := ctx.Err(); err != nil {
			return nil, false, err
		}
		n, err := reader.Read(piece[:min(len(piece), size-len(samples))])
		samples = append(samples, piece[:n]...)
		t.heard += n
		switch {
		case errors.Is(err, io.EOF):
			return samples, false, nil
		case err != nil:
			return nil, false, err
		}
	}
	return samples, true, nil
}

// block transcribes a block and returns the frame where the next one begins, and
// whether anything was transcribed. again tells that there was a run before it,
// whose text is the context.
func (t *transcription) block(b *block, c *clip, again bool) (next int, ran bool, err error) {
	hears, err := t.hears(c)
	if err != nil || !hears {
		return c.rest, false, err
	}
	if !again {
		if err := t.detect(c.sounding()); err != nil {
			return 0, false, err
		}
	}
	options := t.request.options
	window := b.window
	if c.cut != nil {
		// The clip ends in silence: all of its speech is heard.
		window = nil
	} else {
		options.OffsetMilliseconds = int((time.Duration(b.begin) * frame).Milliseconds())
	}
	options.AudioContext = t.shortContext(c, b)
	options.KeepContext = again
	if again {
		options.InitialPrompt = ""
	}
	lastEnd := 0
	err = t.stream.run(options, c.sounding(), window, func(found whispercpp.Segment) error {
		lastEnd = int(found.End)
		s, ok := t.segment(c, found)
		if !ok {
			return nil
		}
		return t.keep(s)
	})
	if err != nil {
		// A run that was given up goes on, and still tells the block how far it is.
		return 0, false, err
	}
	if c.cut != nil {
		return c.rest, true, nil
	}
	return b.next(lastEnd), true, nil
}

// shortContext cuts the encoder's positions for clips below a window.
func (t *transcription) shortContext(c *clip, b *block) int {
	if b.more || b.begin > 0 {
		return 0
	}
	return t.model.parameters.audioContext(len(c.sounding()))
}
