package grpcguard

import "encoding/binary"

// The parts of HTTP/2 (RFC 9113) that the guard reads.
const (
	frameHeaderLen = 9
	prefaceLen     = 24 // of what a client sends first

	frameData    = 0x0
	frameHeaders = 0x1
	frameReset   = 0x3

	flagEndStream = 0x1
	flagPadded    = 0x8
)

// frame is the header of a frame.
type frame struct {
	kind, flags byte
	stream      uint32
	length      int
}

// frames reads one direction of a connection as HTTP/2 frames. It calls begin for
// each frame, and data for each part of the data of DATA frames; last says that the
// frame ends with it. A part is empty if only padding ends the frame.
type frames struct {
	skip  int // bytes before the first frame
	begin func(frame)
	data  func(stream uint32, part []byte, last bool)

	header [frameHeaderLen]byte
	have   int // bytes of header
	frame  frame
	left   int // bytes of the payload that are still to come
	useful int // bytes of them before the padding
}

// feed takes the next bytes.
func (f *frames) feed(p []byte) {
	n := min(f.skip, len(p))
	f.skip -= n
	for p = p[n:]; len(p) > 0; {
		if f.left == 0 {
			p = f.feedHeader(p)
			continue
		}
		part := p[:min(len(p), f.left)]
		p = p[len(part):]
		f.feedPayload(part)
		f.left -= len(part)
	}
}

// feedHeader takes bytes of a frame's header and returns the rest.
func (f *frames) feedHeader(p []byte) []byte {
	n := copy(f.header[f.have:], p)
	f.have += n
	if f.have < frameHeaderLen {
		return p[n:]
	}
	f.have = 0
	h := f.header
	f.frame = frame{
		kind: h[3], flags: h[4],
		stream: binary.BigEndian.Uint32(h[5:]) &^ (1 << 31),
		length: int(h[0])<<16 | int(h[1])<<8 | int(h[2]),
	}
	f.left, f.useful = f.frame.length, f.frame.length
	f.begin(f.frame)
	return p[n:]
}

// feedPayload takes a part of a payload; left is what it had before the part.
func (f *frames) feedPayload(part []byte) {
	if f.frame.kind != frameData {
		return
	}
	last := len(part) == f.left
	if f.left == f.frame.length && f.frame.flags&flagPadded != 0 {
		f.useful = f.left - 1 - int(part[0])
		part = part[1:]
	}
	n := max(0, min(len(part), f.useful))
	if n > 0 || last {
		f.useful -= n
		f.data(f.frame.stream, part[:n], last)
	}
}
