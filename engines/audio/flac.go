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
	// flacMaxGap is how many seconds of damage are replaced by silence, so that
	// times stay right; a longer gap is a number that lies.
	flacMaxGap = 10
	flacGap    = 4096 // samples of silence at once
)

// errFLACDamaged is a frame that cannot be decoded.
var errFLACDamaged = errors.New("damaged FLAC frame")

// flacInfo is the STREAMINFO block (RFC 9639, 8.2).
type flacInfo struct {
	blockSize int // of streams of fixed blocks
	rate      int
	channels  int
	bits      int    // of a sample
	total     uint64 // samples; 0 if not known
}

// flacDecoder decodes native FLAC (RFC 9639), frame by frame. It is ours
// because the library for it, mewkiz/flac, writes a line to the process's log
// for every frame of a 24 kHz recording, gives up at the first damaged frame,
// and knows no samples of 32 bits.
type flacDecoder struct {
	r      *bufio.Reader
	header flacInfo
	frame  flacFrame
	at     uint64 // samples given so far
	gap    uint64 // silence to give before the frame that was decoded
	ready  bool   // a frame is decoded and not given
	damage int    // frames in a row
	out    []float32
}

func newFLAC(r *bufio.Reader) (*flacDecoder, error) {
	if _, err := r.Discard(4); err != nil { // "fLaC"
		return nil, flacCut(err)
	}
	d := &flacDecoder{r: r}
	for first, last := true, false; !last; first = false {
		var head [4]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return nil, flacCut(err)
		}
		last = head[0]&0x80 != 0
		kind, length := head[0]&0x7f, int64(head[1])<<16|int64(head[2])<<8|int64(head[3])
		if first {
			if kind != 0 || length != 34 {
				return nil, errs.New(errs.AudioUnreadable, "the FLAC file's header is damaged")
			}
			var body [34]byte
			if _, err := io.ReadFull(r, body[:]); err != nil {
				return nil, flacCut(err)
			}
			d.header = parseFLACInfo(body[:])
			continue
		}
		if _, err := io.CopyN(io.Discard, r, length); err != nil { // pictures, tags, padding
			return nil, flacCut(err)
		}
	}
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

func flacCut(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errs.New(errs.AudioUnreadable, "the FLAC file ends before its samples")
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
		n := min(d.gap, flacGap)
		d.gap -= n
		d.at += n
		d.out = sized(d.out, int(n))
		clear(d.out)
		return d.out, nil
	}
	d.ready = false
	d.out = d.frame.mean(d.out)
	d.at += uint64(len(d.out))
	return d.out, nil
}

// decode reads the next sound frame. What is cut off ends the file; what is
// damaged is passed over.
func (d *flacDecoder) decode() error {
	for {
		err := d.align()
		if err == nil {
			err = d.frame.read(d.r, d.header)
		}
		switch {
		case err == nil:
			d.damage = 0
			d.place()
			d.ready = true
			return nil
		case errors.Is(err, io.EOF) && d.at == 0 && d.header.total > 0:
			return flacCut(err)
		case !errors.Is(err, errFLACDamaged):
			return err
		}
		if d.damage++; d.damage > flacMaxDamage {
			return errs.New(errs.AudioUnreadable, "the FLAC file is damaged after %.1f s",
				float64(d.at)/float64(d.header.rate))
		}
	}
}

// align moves to what looks like a frame.
func (d *flacDecoder) align() error {
	for {
		b, err := d.r.Peek(2)
		if err != nil {
			return err
		}
		if b[0] == 0xff && b[1]&0xfe == 0xf8 {
			return nil
		}
		if _, err := d.r.Discard(1); err != nil {
			return err
		}
	}
}

// place finds how much is missing before a frame, by its number.
func (d *flacDecoder) place() {
	start := d.frame.number
	if !d.frame.variable {
		start *= uint64(d.header.blockSize)
	}
	d.gap = 0
	if d.at > 0 && start > d.at && start-d.at <= uint64(flacMaxGap*d.header.rate) {
		d.gap = start - d.at
	}
}

// sized returns s with length n, reallocated if need be.
func sized[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}
