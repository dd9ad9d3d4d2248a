package audio

import (
	"encoding/binary"
)

// Boxes of MP4 (ISO 14496-12) are parsed from bytes that have arrived: no size or count
// in them is trusted.

// mp4Bytes is the content of a box, or a part of it. Reads beyond it return zeros.
type mp4Bytes []byte

func (b mp4Bytes) from(at int) mp4Bytes {
	if at < 0 || at > len(b) {
		return nil
	}
	return b[at:]
}

func (b mp4Bytes) u8(at int) int {
	if b = b.from(at); len(b) < 1 {
		return 0
	}
	return int(b[0])
}

func (b mp4Bytes) u16(at int) int {
	if b = b.from(at); len(b) < 2 {
		return 0
	}
	return int(binary.BigEndian.Uint16(b))
}

func (b mp4Bytes) u32(at int) uint32 {
	if b = b.from(at); len(b) < 4 {
		return 0
	}
	return binary.BigEndian.Uint32(b)
}

func (b mp4Bytes) u64(at int) uint64 {
	if b = b.from(at); len(b) < 8 {
		return 0
	}
	return binary.BigEndian.Uint64(b)
}

// flags are the lower three bytes of the first four; the first is the version.
func (b mp4Bytes) flags() uint32 { return b.u32(0) & 0xffffff }

// mp4MaxBoxes bounds the boxes in a box.
const mp4MaxBoxes = 4096

// each calls visit for the boxes in b, until it returns false.
func (b mp4Bytes) each(visit func(name string, body mp4Bytes) bool) {
	for range mp4MaxBoxes {
		if len(b) < 8 {
			return
		}
		size, header := uint64(b.u32(0)), 8
		switch size {
		case 0:
			size = uint64(len(b))
		case 1:
			size, header = b.u64(8), 16
		}
		if size < uint64(header) || size > uint64(len(b)) { //nolint:gosec // small
			return
		}
		if !visit(string(b[4:8]), b[header:size]) {
			return
		}
		b = b[size:]
	}
}

// find returns the body of the first box at a path of names; nil if there is none.
func (b mp4Bytes) find(path ...string) mp4Bytes {
	for _, name := range path {
		var found mp4Bytes
		b.each(func(n string, body mp4Bytes) bool {
			if n == name {
				found = body
			}
			return n != name
		})
		b = found
	}
	return b
}

// afterDates returns the number that follows the two dates of a header, mvhd, mdhd or
// tkhd, whose dates have 4 bytes or, in version 1, 8.
func (b mp4Bytes) afterDates() uint32 {
	if b.u8(0) == 1 {
		return b.u32(20)
	}
	return b.u32(12)
}

// mp4Descriptor returns the content of the first descriptor with a tag in b (ISO 14496-1),
// whose first bytes are skipped.
func (b mp4Bytes) descriptor(tag int) mp4Bytes {
	for len(b) > 1 {
		found := b.u8(0)
		size, at := 0, 1
		for range 4 {
			size = size<<7 | b.u8(at)&0x7f
			if at++; b.u8(at-1) < 0x80 {
				break
			}
		}
		body := b.from(at)
		if size > len(body) {
			size = len(body)
		}
		if found == tag {
			return body[:size]
		}
		b = body[size:]
	}
	return nil
}
