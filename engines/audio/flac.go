package audio

import (
	"bufio"
	"errors"
	"io"

	"github.com/mewkiz/flac"
	"github.com/mewkiz/flac/frame"

	"github.com/lexilingo/modelgateway/engines/errs"
)

// flacDecoder decodes native FLAC, frame by frame.
type flacDecoder struct {
	stream *flac.Stream
	what   Info
	bits   uint8
	total  uint64 // samples that the header promises; 0 if it does not know
	done   uint64
	out    []float32
}

func newFLAC(r *bufio.Reader) (*flacDecoder, error) {
	// The library reads whatever block comes first, of any size, before it looks
	// whether it is the one that must come first.
	head, err := r.Peek(8)
	if err != nil {
		return nil, flacCut(err)
	}
	if head[4]&0x7f != 0 || head[5] != 0 || head[6] != 0 || head[7] != 34 {
		return nil, errs.New(errs.AudioUnreadable, "the FLAC file's header is damaged")
	}
	stream, err := flac.New(r)
	if err != nil {
		return nil, flacCut(err)
	}
	d := &flacDecoder{stream: stream, bits: stream.Info.BitsPerSample, total: stream.Info.NSamples}
	d.what = Info{Encoding: flacFile, SampleRate: int(stream.Info.SampleRate), Channels: int(stream.Info.NChannels)}
	if d.bits > 24 {
		return nil, errs.New(errs.AudioUnreadable, "the FLAC file has samples of %d bits; up to 24 can be read", d.bits)
	}
	return d, checkShape(d.what.SampleRate, d.what.Channels, errs.AudioUnreadable)
}

func flacCut(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errs.New(errs.AudioUnreadable, "the FLAC file ends before its samples").WithCause(err)
	}
	return errs.New(errs.AudioUnreadable, "the FLAC file's header is damaged").WithCause(err)
}

func (d *flacDecoder) info() Info { return d.what }

// next implements decoder. What is cut off ends the file.
func (d *flacDecoder) next() ([]float32, error) {
	f, err := d.stream.Next()
	if err == nil {
		if f.BitsPerSample == 0 {
			f.BitsPerSample = d.bits // "as the header of the file says"
		}
		err = f.Parse()
	}
	cut := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
	switch {
	case err == nil:
		return d.mix(f)
	case cut && d.done == 0 && d.total > 0:
		return nil, flacCut(err)
	case cut, d.total > 0 && d.done >= d.total: // what follows the last sample is a tag
		return nil, io.EOF
	default:
		return nil, errs.New(errs.AudioUnreadable, "the FLAC file is damaged after %.1f s",
			float64(d.done)/float64(d.what.SampleRate)).WithCause(err)
	}
}

// mix averages the channels of a frame.
func (d *flacDecoder) mix(f *frame.Frame) ([]float32, error) {
	if f.SampleRate != 0 && int(f.SampleRate) != d.what.SampleRate {
		return nil, errs.New(errs.AudioUnreadable, "the FLAC file changes its sample rate from %d to %d Hz",
			d.what.SampleRate, f.SampleRate)
	}
	n := int(f.BlockSize)
	if cap(d.out) < n {
		d.out = make([]float32, n)
	}
	scale := 1 / (float64(int64(1)<<(f.BitsPerSample-1)) * float64(len(f.Subframes)))
	for i := range n {
		sum := int64(0)
		for _, s := range f.Subframes {
			sum += int64(s.Samples[i])
		}
		d.out[i] = float32(float64(sum) * scale)
	}
	d.done += uint64(n)
	return d.out[:n], nil
}
