package inflight

import "encoding/binary"

// Framing follows the messages of a stream in the framing of gRPC, gRPC-Web and
// Connect: each comes after a byte of flags and its length.
type Framing struct {
	prefix [5]byte
	flags  byte  // the highest so far
	have   int   // bytes of prefix
	left   int64 // bytes of the message that are still to come
	size   int64
	count  int
}

// Feed takes the next bytes of the stream. For each message that they complete,
// it calls completed with its size; completed may be nil.
func (f *Framing) Feed(p []byte, completed func(size int64)) {
	for len(p) > 0 {
		if f.left == 0 {
			if f.have == 0 {
				f.flags = max(f.flags, p[0])
			}
			n := copy(f.prefix[f.have:], p)
			f.have += n
			p = p[n:]
			if f.have < len(f.prefix) {
				return
			}
			f.have, f.size = 0, 0
			f.left = int64(binary.BigEndian.Uint32(f.prefix[1:]))
		}
		n := min(f.left, int64(len(p)))
		f.left -= n
		f.size += n
		p = p[n:]
		if f.left == 0 {
			f.count++
			if completed != nil {
				completed(f.size)
			}
		}
	}
}

// Memory returns how much memory the current message takes when it is decoded, as
// far as it has come, or the last one if none has begun since. What it is decoded
// to does not count.
func (f *Framing) Memory() int64 {
	const copies = 2
	return copies * f.size
}

// Count returns how many messages are complete.
func (f *Framing) Count() int { return f.count }

// Flags returns the highest flags of all messages.
func (f *Framing) Flags() byte { return f.flags }

// Partial reports whether the sender owes the rest of a message.
func (f *Framing) Partial() bool { return f.have > 0 || f.left > 0 }

// Unfinished reports whether the sender owes the rest of a message, or the first.
func (f *Framing) Unfinished() bool { return f.count == 0 || f.Partial() }
