package audio

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"

	"github.com/lexilingo/modelgateway/engines/errs"
)

const (
	// flacMaxDamage is how many frames in a row may be damaged.
	flacMaxDamage = 64
	// flacMaxGap is how many seconds of missing frames are replaced by silence,
	// so that later times stay correct. A longer gap means a wrong frame number.
	flacMaxGap  = 10
	flacSilence = 4096 // samples of silence that next returns at once
)

// errFLACDamaged means that a frame cannot be decoded.
var errFLACDamaged = errors.New("damaged FLAC frame")

// flacInfo is the STREAMINFO block (RFC 9639, 8.2).
type flacInfo struct {
	blockSize int // of a stream with a fixed block size
	rate      int
	channels  int
	bits      int    // of a sample
	total     uint64 // samples; 0 if not known
}

// flacDecoder decodes native FLAC (RFC 9639), frame by frame.
//
// mewkiz/flac could replace it if that library did not log a line for every
// frame of a 24 kHz recording, continued after a damaged frame, and supported
// samples of 32 bits.
type flacDecoder struct {
	r        *bufio.Reader
	header   flacInfo
	mixer    *mixer
	frame    flacFrame
	position uint64 // samples returned so far
	gap      uint64 // samples of silence to return before frame
	ready    bool   // frame is decoded and not yet returned
	damaged  int    // damaged frames in a row
	out      []float32
}

func newFLAC(r *bufio.Reader) (*flacDecoder, error) {
	if _, err := r.Discard(4); err != nil { // "fLaC"
		return nil, flacTruncated(err)
	}
	d := &flacDecoder{r: r}
	for first, last := true, false; !last; first = false {
		var head [4]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return nil, flacTruncated(err)
		}
		last = head[0]&0x80 != 0
		kind, length := head[0]&0x7f, int64(head[1])<<16|int64(head[2])<<8|int64(head[3])
		if first {
			if kind != 0 || length != 34 {
				return nil, damaged("header of the FLAC file")
			}
			var body [34]byte
			if _, err := io.ReadFull(r, body[:]); err != nil {
				return nil, flacTruncated(err)
			}
			d.header = parseFLACInfo(body[:])
			continue
		}
		if _, err := io.CopyN(io.Discard, r, length); err != nil { // pictures, tags, padding
			return nil, flacTruncated(err)
		}
	}
	d.mixer = newMixer(d.header.rate, d.header.channels)
	return d, checkShape(d.header.rate, d.header.channels, errs.AudioUnreadable)
}

func parseFLACInfo(b []byte) flacInfo {
	packed := binary.BigEndian.Uint64(b[10:])
	return flacInfo{
		blockSize: int(binary.BigEndian.Uint16(b)),
		rate:      int(packed >> 44),
		channels:  int(packed>>41&7) + 1,
		bits:      int(packed>>36&31) + 1,
		total:     packed & (1<<36 - 1),
	}
}

func flacTruncated(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errs.New(errs.AudioUnreadable, "the FLAC file ends before its first sample: send the complete file")
	}
	return err
}

func (d *flacDecoder) info() Info {
	return Info{Encoding: flacFile, SampleRate: d.header.rate, Channels: d.header.channels}
}

// next implements decoder.
func (d *flacDecoder) next() ([]float32, error) {
	if !d.ready {
		if err := d.decode(); err != nil {
			return nil, err
		}
	}
	if d.gap > 0 {
		n := min(d.gap, flacSilence)
		d.gap -= n
		d.position += n
		d.out = resize(d.out, int(n))
		clear(d.out)
		return d.out, nil
	}
	d.ready = false
	d.out = d.frame.mean(d.out, d.mixer)
	d.position += uint64(len(d.out))
	return d.out, nil
}

// decode reads the next intact frame and skips damaged ones. A truncated frame
// ends the file.
func (d *flacDecoder) decode() error {
	for {
		err := d.seekFrame()
		if err == nil {
			err = d.frame.read(d.r, d.header)
		}
		switch {
		case err == nil:
			d.damaged = 0
			d.setGap()
			d.ready = true
			return nil
		case errors.Is(err, io.EOF) && d.position == 0 && d.header.total > 0:
			return flacTruncated(err)
		case !errors.Is(err, errFLACDamaged):
			return err
		}
		if d.damaged++; d.damaged > flacMaxDamage {
			return errs.New(errs.AudioUnreadable, "the FLAC file is damaged after %.1f s: send an undamaged file",
				float64(d.position)/float64(d.header.rate))
		}
	}
}

// seekFrame skips to the next sync code of a frame. It returns errNextFile if
// another file begins before it.
func (d *flacDecoder) seekFrame() error {
	for {
		b, err := d.r.Peek(2)
		if err != nil {
			return err
		}
		if b[0] == 0xff && b[1]&0xfe == 0xf8 {
			return nil
		}
		if found, err := nextFile(d.r); err != nil {
			return err
		} else if found {
			return errNextFile
		}
		if _, err := d.r.Discard(1); err != nil {
			return err
		}
	}
}

// setGap computes how many samples are missing before a frame, from its number.
func (d *flacDecoder) setGap() {
	start := d.frame.number
	if !d.frame.variable {
		start *= uint64(d.header.blockSize)
	}
	d.gap = 0
	if d.position > 0 && start > d.position && start-d.position <= uint64(flacMaxGap*d.header.rate) {
		d.gap = start - d.position
	}
}

// resize returns s with length n, reallocated if its capacity is too small.
func resize[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}
