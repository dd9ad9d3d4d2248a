package audio

import (
	"bufio"
	"errors"
	"io"
	"math/bits"
)

// flacBits reads bits, the highest first, and computes the checksums of the bytes
// it reads. After a failure it returns zeros, and err is the failure.
type flacBits struct {
	r     *bufio.Reader
	acc   uint64 // the low n bits are not yet consumed
	n     int
	crc8  byte
	crc16 uint16
	err   error
}

// start begins a frame.
func (b *flacBits) start(r *bufio.Reader) { *b = flacBits{r: r} }

// fill reads one byte. No byte is read before it is needed, so that a frame of a
// live stream is decoded as soon as its last byte arrives.
func (b *flacBits) fill() {
	c, err := b.r.ReadByte()
	if err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = io.EOF
		}
		b.err = err
	}
	b.acc = b.acc<<8 | uint64(c)
	b.n += 8
	b.crc8 = crc8Table[b.crc8^c]
	b.crc16 = b.crc16<<8 ^ crc16Table[byte(b.crc16>>8)^c]
}

// read returns the next n bits; n is at most 40.
func (b *flacBits) read(n int) uint64 {
	for b.n < n && b.err == nil {
		b.fill()
	}
	if b.err != nil {
		return 0
	}
	b.n -= n
	return b.acc >> b.n & (1<<n - 1)
}

// signed returns the next n bits as a two's complement integer.
func (b *flacBits) signed(n int) int64 {
	if n == 0 {
		return 0
	}
	return int64(b.read(n)<<(64-n)) >> (64 - n)
}

// unary returns how many 0 bits come before the next 1 bit, which it consumes.
func (b *flacBits) unary() uint64 {
	zeros := uint64(0)
	for b.err == nil {
		if b.n == 0 {
			b.fill()
		}
		z := bits.LeadingZeros64(b.acc << (64 - b.n))
		if z < b.n {
			b.n -= z + 1
			return zeros + uint64(z)
		}
		zeros += uint64(b.n)
		b.n = 0
	}
	return 0
}

// align discards the bits up to the next byte.
func (b *flacBits) align() { b.n = 0 }

// The checksums of RFC 9639: polynomials 0x07 and 0x8005, not reflected.
var (
	crc8Table  = makeCRC8()
	crc16Table = makeCRC16()
)

func makeCRC8() (t [256]byte) {
	for i := range t {
		c := byte(i)
		for range 8 {
			c = c<<1 ^ c>>7*0x07
		}
		t[i] = c
	}
	return t
}

func makeCRC16() (t [256]uint16) {
	for i := range t {
		c := uint16(i) << 8
		for range 8 {
			c = c<<1 ^ c>>15*0x8005
		}
		t[i] = c
	}
	return t
}
