package audio

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// decoder decodes one format.
type decoder interface {
	// next returns mono samples at the rate of info as soon as some are
	// available, and io.EOF after the last; errNextFile if another file follows.
	// They are valid until the next call.
	// It may return no samples and no error.
	next() ([]float32, error)
	// info describes the input; in MP3 it may change with a call of next.
	info() Info
}

// nativeDecoder is a decoder that may have a process.
type nativeDecoder interface {
	decoder
	// close ends the process.
	close()
	// programs returns how many processes it has needed.
	programs() int
}

// Reader decodes and resamples one stream. It must not be used by several
// goroutines at once.
type Reader struct {
	in       *input
	buffered *bufio.Reader
	format   *gatewayv1.AudioFormat

	decoder    decoder
	files      int  // that were read before the decoder's
	programs   int  // that those needed
	meta       Info // of the samples that were decoded last
	rate       int  // of the resampler
	resampler  *resampler
	resamplers map[int]*resampler // by rate
	ended      bool               // the decoder returned its last samples
	pending    []float32          // resampled, not yet read
	left       int64              // samples until MaxDuration
	decoded    int64              // samples so far
	limit      time.Duration
	skip       int64 // samples that Read does not return
	err        error // sticky
}

// NewReader returns a Reader that decodes a stream while it arrives. If format is
// nil, it is detected from the first bytes. The source is not read before the
// first Read.
func NewReader(format *gatewayv1.AudioFormat, source Source, limits Limits) *Reader {
	in := &input{source: source, maxBytes: limits.MaxBytes}
	if in.maxBytes <= 0 {
		in.maxBytes = DefaultMaxBytes
	}
	r := &Reader{in: in, buffered: bufio.NewReader(in), format: format, limit: limits.MaxDuration, left: math.MaxInt64,
		resamplers: map[int]*resampler{}}
	if r.limit > 0 {
		r.left = int64(r.limit.Seconds() * SampleRate)
	}
	return r
}

// Skip makes the reader leave out the first part of the audio. It is called before
// the first Read.
func (r *Reader) Skip(first time.Duration) {
	r.skip = int64(math.Round(first.Seconds() * SampleRate))
}

// Read reads mono samples at 16 kHz in -1..1 into dst and returns their number;
// io.EOF after the last. Samples of float and lossy formats may be slightly
// beyond that range. Read returns as soon as some samples are available and does
// not wait to fill dst.
//
// Errors are an *errs.Error with reason AUDIO_UNREADABLE for damaged or
// unsupported audio and INVALID_REQUEST for a limit, or an error of the source,
// unchanged. Samples decoded before an error are returned before it.
func (r *Reader) Read(dst []float32) (int, error) {
	if len(dst) == 0 {
		return 0, nil
	}
	for {
		n := int(min(r.skip, int64(len(r.pending))))
		r.pending, r.skip = r.pending[n:], r.skip-int64(n)
		if len(r.pending) > 0 {
			break
		}
		if r.err != nil {
			return 0, r.err
		}
		r.advance()
	}
	n := copy(dst, r.pending)
	r.pending = r.pending[n:]
	return n, nil
}

// Info describes the input. It is zero until the first Read returns. Of several
// files, one after the other, it describes the last one that was read.
func (r *Reader) Info() Info { return r.meta }

// Close frees the reader's buffers. It does not close the source.
func (r *Reader) Close() error {
	if r.err == nil {
		r.err = io.ErrClosedPipe
	}
	r.dropDecoder()
	r.resampler, r.resamplers, r.pending = nil, nil, nil
	return nil
}

// dropDecoder ends the decoder, which may have a process.
func (r *Reader) dropDecoder() {
	if d, ok := r.decoder.(nativeDecoder); ok {
		r.programs += d.programs()
		d.close()
	}
	r.decoder = nil
}

// advance decodes the next samples into pending, or sets err.
func (r *Reader) advance() {
	if r.ended {
		r.err = io.EOF
		return
	}
	samples, err := r.decode()
	if len(samples) > 0 {
		r.keep(r.resample(samples))
	}
	if err == nil || r.err != nil {
		return
	}
	if failure := r.in.failure(); failure != nil {
		r.err = failure // the cause of the decoder's error
		return
	}
	var typed *errs.Error
	switch {
	case errors.As(err, &typed):
		if errors.Is(err, errNextFile) {
			err = placed(err, float64(r.decoded)/SampleRate)
		}
		r.err = err
		return
	case errors.Is(err, errNextFile):
		r.dropDecoder()
		r.format = nil
		if r.files++; r.files == maxFiles {
			r.err = errs.New(errs.AudioUnreadable, "the audio consists of more than %d files: join them into one", maxFiles)
		}
		return
	case !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
		r.err = damaged("audio").WithCause(err)
		return
	}
	r.ended = true
	if r.resampler != nil {
		r.keep(r.resampler.flush())
	}
}

// keep makes samples the pending ones, up to MaxDuration and to what the bytes so
// far may hold.
func (r *Reader) keep(samples []float32) {
	paid := (int64(freeDuration.Seconds()) + r.in.total/bytesPerSecond) * SampleRate
	if r.decoded += int64(len(samples)); r.decoded > paid {
		samples = samples[:max(0, int64(len(samples))-(r.decoded-paid))]
		r.err = errs.New(errs.InvalidRequest, "the first %s of the audio hold more than %v of sound, which is nearly all silence: cut the silence out, or send WAV",
			humanize.IBytes(uint64(r.in.total)), (time.Duration(paid) * time.Second / SampleRate).Truncate(time.Second))
	}
	if int64(len(samples)) > r.left {
		samples = samples[:r.left]
		r.err = errs.New(errs.InvalidRequest, "the audio is longer than the limit of %v: send a shorter clip", r.limit)
	}
	r.left -= int64(len(samples))
	r.pending = samples
}

// decode opens the decoder on first use and returns its next samples. A decoder
// reads untrusted bytes: its panic becomes an error of this stream.
func (r *Reader) decode() (samples []float32, err error) {
	defer func() {
		if p := recover(); p != nil {
			if r.in.inSource {
				panic(p)
			}
			samples, err = nil, damaged("audio").
				With("decoder", "panicked")
		}
	}()
	if r.decoder == nil {
		d, err := open(r.format, r.buffered)
		var typed *errs.Error
		if r.meta.SampleRate > 0 && errors.As(err, &typed) {
			err = typed.WithCause(errNextFile)
		}
		if err != nil {
			return nil, err
		}
		r.decoder, r.meta = d, d.info()
	}
	if d, ok := r.decoder.(nativeDecoder); ok && r.programs+d.programs() > maxNativeFiles {
		return nil, errs.New(errs.AudioUnreadable, "the audio consists of more than %d files of AAC, AMR or Vorbis: join them into one", maxNativeFiles)
	}
	samples, err = r.decoder.next()
	r.meta = r.decoder.info()
	silenceInvalid(samples)
	return samples, err
}

// resample converts samples of the current rate. The samples of several rates, one
// after the other, are one recording.
func (r *Reader) resample(samples []float32) []float32 {
	var rest []float32
	if r.rate != r.meta.SampleRate {
		if r.resampler != nil {
			rest = r.resampler.flush()
		}
		r.rate = r.meta.SampleRate
		if r.resampler = r.resamplers[r.rate]; r.resampler != nil {
			r.resampler.reset()
		} else if len(r.resamplers) == maxRates {
			r.err = errs.New(errs.AudioUnreadable, "the audio consists of parts with more than %d sample rates: convert it to one rate", maxRates)
			return rest
		} else {
			r.resampler = newResampler(r.rate, SampleRate)
			r.resamplers[r.rate] = r.resampler
		}
	}
	samples = r.resampler.process(samples)
	if len(rest) > 0 {
		samples = append(rest, samples...)
	}
	return samples
}

// silenceInvalid sets NaN and infinities to 0: they must not reach a model, and
// one bad sample should not make the whole recording fail.
func silenceInvalid(samples []float32) {
	for i, s := range samples {
		if s != s || s > math.MaxFloat32 || s < -math.MaxFloat32 {
			samples[i] = 0
		}
	}
}

// ReadAll decodes a whole clip. If format is nil, it is detected. ReadAll returns
// the context's error when ctx ends.
func ReadAll(ctx context.Context, format *gatewayv1.AudioFormat, data []byte, limits Limits) ([]float32, error) {
	if limits.MaxDuration <= 0 {
		limits.MaxDuration = DefaultClipDuration
	}
	r := NewReader(format, &clip{ctx: ctx, data: bytes.NewReader(data)}, limits)
	defer r.Close()
	var all []float32
	buf := make([]float32, 8192)
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		n, err := r.Read(buf)
		all = append(all, buf[:n]...)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// clip is a Source over bytes in memory.
type clip struct {
	ctx  context.Context
	data *bytes.Reader
	buf  [32 << 10]byte
}

// Next implements Source.
func (c *clip) Next() ([]byte, error) {
	if err := c.ctx.Err(); err != nil {
		return nil, err
	}
	n, err := c.data.Read(c.buf[:])
	return c.buf[:n], err
}
