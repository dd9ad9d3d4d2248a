package audio

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
)

// mp3Header is the header of an MPEG audio frame (ISO 11172-3, 13818-3).
type mp3Header uint32

func (h mp3Header) valid() bool {
	return h>>21 == 0x7ff && h.version() != 1 && h>>17&3 == 1 && // sync, known version, layer III
		h>>12&15 != 15 && h>>12&15 != 0 && h>>10&3 != 3 && h&3 != 2
}

// version is 3 for MPEG-1, 2 for MPEG-2, 0 for MPEG-2.5.
func (h mp3Header) version() int { return int(h >> 19 & 3) }

func (h mp3Header) channels() int {
	if h>>6&3 == 3 {
		return 1
	}
	return 2
}

// rate is the sample rate in hertz.
func (h mp3Header) rate() int {
	rate := [3]int{44100, 48000, 32000}[h>>10&3]
	switch h.version() {
	case 2:
		return rate / 2
	case 0:
		return rate / 4
	default:
		return rate
	}
}

// like reports whether both headers can belong to one recording.
func (h mp3Header) like(other mp3Header) bool {
	const mask = 0xfffe0c00 // sync, version, layer, rate
	return h&mask == other&mask && h.channels() == other.channels()
}

// samples is the number of samples of a frame.
func (h mp3Header) samples() int {
	if h.version() == 3 {
		return 1152
	}
	return 576
}

// sideInfo is the length in bytes of the side information after the header.
func (h mp3Header) sideInfo() int {
	switch {
	case h.version() == 3 && h.channels() == 2:
		return 32
	case h.version() == 3 || h.channels() == 2:
		return 17
	default:
		return 9
	}
}

// size is the frame's length in bytes, at most 1441.
func (h mp3Header) size() int {
	kbits := [15]int{0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320}
	if h.version() != 3 {
		kbits = [15]int{0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160}
	}
	return h.samples()/8*kbits[h>>12&15]*1000/h.rate() + int(h>>9&1)
}

// mp3Follows reports whether the header h at the current position is that of a
// frame: another frame like it follows. If atEnd is set, a tag or the end of the
// input may follow instead.
func mp3Follows(r *bufio.Reader, h mp3Header, atEnd bool) (bool, error) {
	if !h.valid() {
		return false, nil
	}
	b, err := r.Peek(h.size() + 4)
	if err := ignoreEOF(err); err != nil {
		return false, err
	}
	if len(b) < h.size()+4 {
		return atEnd, nil
	}
	b = b[h.size():]
	next := mp3Header(binary.BigEndian.Uint32(b))
	tag := string(b[:3])
	return next.valid() && next.like(h) || atEnd && (tag == "TAG" || tag == "ID3" || tag == "APE"), nil
}

// mp3Frames reads an MP3 stream frame by frame. It skips tags, and whatever else
// is between the frames.
type mp3Frames struct {
	r    *bufio.Reader
	last mp3Header // of the current frame; 0 before the first
	rest []byte    // of the current frame
	buf  [1441]byte
}

// next reads the next frame, and skips at most limit bytes before it. It returns
// io.EOF if there is none, and errNextFile if a file of another format follows.
func (f *mp3Frames) next(limit int) (mp3Header, error) {
	for skipped := 0; skipped < limit; skipped++ {
		b, err := f.r.Peek(4)
		if err != nil {
			return 0, err
		}
		// Where a frame is expected, its header is enough. Elsewhere, the same bytes
		// can occur by chance.
		h := mp3Header(binary.BigEndian.Uint32(b))
		found := h.valid() && skipped == 0 && (f.last == 0 || h.like(f.last))
		if !found {
			if found, err = mp3Follows(f.r, h, true); err != nil {
				return 0, err
			}
		}
		if found {
			return h, f.load(h)
		}
		tag, err := skipTag(f.r)
		if err != nil {
			return 0, err
		}
		if tag {
			skipped = -1 // a frame is expected
			continue
		}
		if other, err := nextFile(f.r); err != nil {
			return 0, err
		} else if other {
			return 0, errNextFile
		}
		if _, err := f.r.Discard(1); err != nil {
			return 0, err
		}
	}
	return 0, io.EOF
}

// load reads the frame of header h.
func (f *mp3Frames) load(h mp3Header) error {
	f.last, f.rest = h, f.buf[:h.size()]
	_, err := io.ReadFull(f.r, f.rest)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF
	}
	return err
}
