package audio

import (
	"bufio"
	"errors"
	"io"
	"math/bits"

	"github.com/lexilingo/modelgateway/engines/errs"
)

// ebmlUnknown is the size of an element that ends at the first element that
// cannot be its child. Writers that cannot seek, such as browsers, use it.
const ebmlUnknown = -1

// ebmlElement is the header of an element (RFC 8794).
type ebmlElement struct {
	id   uint32
	size int64 // of its body in bytes, or ebmlUnknown
}

// ebmlReader reads elements one after the other. It reads only the headers of
// elements that contain others, so their sizes do not matter, whether unknown or
// wrong. It keeps nothing except the bodies that the caller reads.
//
// ebml-go, which parses the blocks, could replace it if its Unmarshal returned
// one block at a time to its caller, and tolerated wrong sizes of elements that
// contain others.
type ebmlReader struct {
	r *bufio.Reader
}

// next reads the header of the next element.
func (e *ebmlReader) next() (ebmlElement, error) {
	id, _, err := e.vint(4, true)
	if err != nil {
		return ebmlElement{}, err
	}
	size, length, err := e.vint(8, false)
	if err != nil {
		return ebmlElement{}, ebmlTruncated(err)
	}
	el := ebmlElement{id: uint32(id), size: int64(size)}
	if size == 1<<(7*length)-1 {
		el.size = ebmlUnknown
	}
	return el, nil
}

// buffered reports whether the whole next element has come. It is false for most elements
// that contain others.
func (e *ebmlReader) buffered() bool {
	b, _ := e.r.Peek(min(e.r.Buffered(), 12)) // it is there
	if len(b) == 0 {
		return false
	}
	head := bits.LeadingZeros8(b[0]) + 1
	if len(b) <= head {
		return false
	}
	n := bits.LeadingZeros8(b[head]) + 1
	if len(b) < head+n || n > 8 {
		return false
	}
	size := uint64(b[head]) & (1<<(8-n) - 1)
	for _, c := range b[head+1 : head+n] {
		size = size<<8 | uint64(c)
	}
	return size <= uint64(e.r.Buffered()-head-n) //nolint:gosec // it has them
}

// vint reads an integer of variable length, at most limit bytes; an id keeps
// its length marker.
func (e *ebmlReader) vint(limit int, keepMarker bool) (v uint64, length int, err error) {
	first, err := e.r.ReadByte()
	if err != nil {
		return 0, 0, err
	}
	length = bits.LeadingZeros8(first) + 1
	if length > limit {
		return 0, 0, damaged("WebM stream")
	}
	v = uint64(first)
	if !keepMarker {
		v &= 1<<(8-length) - 1
	}
	for range length - 1 {
		b, err := e.r.ReadByte()
		if err != nil {
			return 0, 0, ebmlTruncated(err)
		}
		v = v<<8 | uint64(b)
	}
	return v, length, nil
}

// skip discards an element's body.
func (e *ebmlReader) skip(el ebmlElement) error {
	if el.size == ebmlUnknown {
		return errs.New(errs.AudioUnreadable, "the WebM stream is damaged: an element has no size")
	}
	_, err := io.CopyN(io.Discard, e.r, el.size)
	return ebmlTruncated(err)
}

// body reads an element's body of at most limit bytes.
func (e *ebmlReader) body(el ebmlElement, limit int64) ([]byte, error) {
	if el.size == ebmlUnknown || el.size > limit {
		return nil, errs.New(errs.AudioUnreadable, "the WebM stream is damaged: an element has an impossible size of %d bytes", el.size)
	}
	b := make([]byte, el.size)
	_, err := io.ReadFull(e.r, b)
	return b, ebmlTruncated(err)
}

// uint reads an element's body as an unsigned integer.
func (e *ebmlReader) uint(el ebmlElement) (uint64, error) {
	b, err := e.body(el, 8)
	var v uint64
	for _, c := range b {
		v = v<<8 | uint64(c)
	}
	return v, err
}

// ebmlTruncated returns io.EOF for a truncated element: the stream ends there,
// and the audio before it is used.
func ebmlTruncated(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return io.EOF
	}
	return err
}
