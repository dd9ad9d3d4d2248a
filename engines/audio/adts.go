package audio

import (
	"bufio"
	"errors"
	"io"

	"github.com/lexilingo/modelgateway/engines/decode"
	"github.com/lexilingo/modelgateway/engines/errs"
)

const (
	adtsBytes = 7 // of a header; 9 with a checksum
	// adtsMaxJunk is how many bytes may be between two frames.
	adtsMaxJunk = 64 << 10
)

// adtsHeader is the beginning of a frame of AAC that has its own header (ISO 13818-7).
type adtsHeader [adtsBytes]byte

func (h adtsHeader) valid() bool {
	const maxRates = 13
	return h[0] == 0xff && h[1]&0xf6 == 0xf0 && int(h[2]>>2&15) < maxRates && h.size() > h.bytes()
}

// bytes is the length of the header.
func (h adtsHeader) bytes() int {
	if h[1]&1 == 0 {
		return adtsBytes + 2
	}
	return adtsBytes
}

// size is the length of the frame with its header, at most 8191.
func (h adtsHeader) size() int { return int(h[3]&3)<<11 | int(h[4])<<3 | int(h[5]>>5) }

// blocks is the number of packets in the frame.
func (h adtsHeader) blocks() int { return int(h[6]&3) + 1 }

// like reports whether both headers can belong to one recording.
func (h adtsHeader) like(other adtsHeader) bool {
	return h[1] == other[1] && h[2]&^2 == other[2]&^2 && h[3]&0xc0 == other[3]&0xc0
}

// description is the AudioSpecificConfig of the stream (ISO 14496-3).
func (h adtsHeader) description() []byte {
	kind, rate, channels := h[2]>>6+1, h[2]>>2&15, h[2]&1<<2|h[3]>>6
	return []byte{kind<<3 | rate>>1, rate<<7 | channels<<3}
}

// peekADTS returns the header at the current position, and reports whether it is one: its
// frame is followed by one like it, or if atEnd is set by the end of the input or a tag.
func peekADTS(r *bufio.Reader, atEnd bool) (adtsHeader, bool, error) {
	var h adtsHeader
	b, err := r.Peek(adtsBytes)
	if err := ignoreEOF(err); err != nil || len(b) < adtsBytes {
		return h, false, err
	}
	if copy(h[:], b); !h.valid() {
		return h, false, nil
	}
	if h.size()+adtsBytes > r.Size() { // it cannot be compared with the next one
		return h, atEnd, nil
	}
	b, err = r.Peek(h.size() + adtsBytes)
	if err := ignoreEOF(err); err != nil {
		return h, false, err
	}
	if b = b[min(len(b), h.size()):]; len(b) < adtsBytes {
		return h, atEnd, nil
	}
	next := adtsHeader(b[:adtsBytes])
	return h, next.valid() && next.like(h) || atEnd && (hasPrefix(b, "ID3") || hasPrefix(b, "TAG")), nil
}

// adtsDecoder decodes AAC whose frames have their own headers, as in files with the ending
// .aac and in radio over the internet.
type adtsDecoder struct {
	r      *bufio.Reader
	first  adtsHeader
	stream *nativeStream
}

func newADTS(r *bufio.Reader) (*adtsDecoder, error) {
	d := &adtsDecoder{r: r}
	h, err := d.seek()
	if errors.Is(err, io.EOF) || errors.Is(err, errNextFile) {
		return nil, errs.New(errs.AudioUnreadable, "the audio looks like AAC (ADTS) but contains no frame of it: %s", sendSupported)
	}
	if err != nil {
		return nil, err
	}
	if h.blocks() > 1 {
		return nil, unsupported("AAC (ADTS) with several blocks in a frame")
	}
	d.first = h
	d.stream, err = newNativeStream("AAC", decode.AAC, h.description())
	if err != nil {
		return nil, err
	}
	return d, nil
}

func (d *adtsDecoder) info() Info {
	return Info{Encoding: aacFile, SampleRate: d.stream.rate, Channels: d.stream.count}
}

// close ends the program that decodes.
func (d *adtsDecoder) close() { d.stream.close() }

// programs implements nativeDecoder.
func (d *adtsDecoder) programs() int { return 1 }

// next implements decoder.
func (d *adtsDecoder) next() ([]float32, error) {
	var packets [][]byte
	for len(packets) < decode.MaxPackets {
		if len(packets) > 0 && !d.buffered() {
			break // the next one may not have come
		}
		packet, err := d.packet()
		if err != nil {
			if len(packets) > 0 {
				break // it comes again
			}
			if isEnd(err) && d.stream.rate == 0 {
				return nil, errs.New(errs.AudioUnreadable, "the AAC file has no sound that can be decoded: send an undamaged file")
			}
			return nil, err
		}
		packets = append(packets, packet)
	}
	return d.stream.decode(packets)
}

// buffered reports whether the next frame has come.
func (d *adtsDecoder) buffered() bool {
	if d.r.Buffered() < adtsBytes {
		return false
	}
	b, _ := d.r.Peek(adtsBytes) // it is there
	h := adtsHeader(b)
	return h.valid() && h.like(d.first) && d.r.Buffered() >= h.size()
}

// packet returns the next packet, without the header of its frame.
func (d *adtsDecoder) packet() ([]byte, error) {
	h, err := d.seek()
	if err != nil {
		return nil, err
	}
	if !h.like(d.first) || h.blocks() > 1 {
		return nil, errNextFile // of another rate
	}
	frame := make([]byte, h.size())
	if _, err := io.ReadFull(d.r, frame); err != nil {
		if isEnd(err) {
			err = io.EOF
		}
		return nil, err
	}
	return frame[h.bytes():], nil
}

// seek skips to the next frame and returns its header. Where a frame is expected, its
// header is enough. Elsewhere, the same bytes can occur by chance.
func (d *adtsDecoder) seek() (adtsHeader, error) {
	for skipped := 0; skipped <= adtsMaxJunk; skipped++ {
		b, err := d.r.Peek(adtsBytes)
		if err != nil {
			return adtsHeader{}, err
		}
		h := adtsHeader(b)
		found := skipped == 0 && h.valid() && h.like(d.first)
		if !found {
			if h, found, err = peekADTS(d.r, true); err != nil {
				return h, err
			}
		}
		if found {
			return h, nil
		}
		if tag, err := skipTag(d.r); err != nil {
			return h, err
		} else if tag {
			skipped = -1 // a frame is expected
			continue
		}
		if other, err := nextFile(d.r); err != nil {
			return h, err
		} else if other {
			return h, errNextFile
		}
		if _, err := d.r.Discard(1); err != nil {
			return h, err
		}
	}
	return adtsHeader{}, damaged("AAC stream")
}
