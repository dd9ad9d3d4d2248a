package codecs

// #cgo LDFLAGS: -lmp3lame
// #include <lame/lame.h>
import "C"

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/lexilingo/modelgateway/engines/encode"
)

// mp3 encodes with LAME, at a constant bitrate. The first frame of the stream has no
// sound, but says how many samples at the beginning are the encoder's delay. It cannot
// say how many at the end are padding, which is known only there.
type mp3 struct {
	lame  *C.lame_global_flags
	rate  int
	out   []byte
	begun bool // something has been returned
}

func newMP3(s encode.Settings) (encode.Encoder, error) {
	m := &mp3{lame: C.lame_init(), rate: s.Rate}
	if m.lame == nil {
		return nil, fmt.Errorf("LAME does not start")
	}
	C.lame_set_num_channels(m.lame, 1)
	C.lame_set_mode(m.lame, C.MONO)
	C.lame_set_in_samplerate(m.lame, C.int(s.Rate))
	C.lame_set_out_samplerate(m.lame, C.int(s.Rate))
	C.lame_set_brate(m.lame, C.int(s.Bitrate/1000))
	C.lame_set_bWriteVbrTag(m.lame, 0)
	C.lame_set_quality(m.lame, 5)
	if code := C.lame_init_params(m.lame); code < 0 {
		m.Close()
		return nil, fmt.Errorf("LAME refuses %d Hz with %d bit/s (%d)", s.Rate, s.Bitrate, code)
	}
	return m, nil
}

// Encode implements encode.Encoder.
func (m *mp3) Encode(samples []int16) ([]byte, error) {
	if len(samples) == 0 {
		return nil, nil
	}
	m.grow(len(samples)*5/4 + 7200) // what LAME asks for
	n := C.lame_encode_buffer(m.lame, (*C.short)(&samples[0]), nil, C.int(len(samples)), (*C.uchar)(&m.out[0]), C.int(len(m.out)))
	return m.encoded(n)
}

// Finish implements encode.Encoder.
func (m *mp3) Finish() ([]byte, error) {
	m.grow(7200)
	return m.encoded(C.lame_encode_flush(m.lame, (*C.uchar)(&m.out[0]), C.int(len(m.out))))
}

// Close implements encode.Encoder.
func (m *mp3) Close() { C.lame_close(m.lame) }

func (m *mp3) grow(size int) {
	if len(m.out) < size {
		m.out = make([]byte, size)
	}
}

func (m *mp3) encoded(n C.int) ([]byte, error) {
	if n < 0 {
		return nil, fmt.Errorf("LAME failed (%d)", n)
	}
	out := m.out[:n]
	if n >= 4 && !m.begun {
		m.begun = true
		out = append(m.infoFrame(out), out...)
	}
	return out, nil
}

// Bitrates of MPEG-1, and of MPEG-2 and 2.5, in kbit/s, by their number in the header.
var (
	bitrates1 = []int{0, 32, 40, 48, 56, 64}
	bitrates2 = []int{0, 8, 16, 24, 32, 40, 48, 56, 64}
)

// infoFrame returns the frame of Xing, with the extension of LAME. header is that of
// another frame of the stream. Of the fields it has the size of the stream, which is not
// known: FFmpeg takes a frame without a field for sound. Of the extension it has only the
// delay.
func (m *mp3) infoFrame(header []byte) []byte {
	const (
		side1, side2 = 4 + 17, 4 + 9 // bytes before the name: the header, and the side information of one channel
		fields       = "Info\x00\x00\x00\x02\xff\xff\xff\xff"
		delayAt      = len(fields) + 21
		end          = len(fields) + 36
	)
	perFrame, at, bitrates := 72, side2, bitrates2
	if m.rate >= 32_000 {
		perFrame, at, bitrates = 144, side1, bitrates1
	}
	size := func(kbits int) int { return perFrame * 1000 * kbits / m.rate }
	index := slices.IndexFunc(bitrates, func(kbits int) bool { return size(kbits) >= at+end })
	frame := make([]byte, size(bitrates[index]))
	copy(frame, header[:4])
	frame[2] = byte(index)<<4 | header[2]&0x0d // without padding
	copy(frame[at:], fields+"LAME"+C.GoString(C.get_lame_short_version()))
	binary.BigEndian.PutUint32(frame[at+delayAt:], uint32(C.lame_get_encoder_delay(m.lame))<<20) //nolint:gosec // of 12 bits; the next 12 are the padding
	return frame
}
