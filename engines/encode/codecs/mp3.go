package codecs

// #cgo LDFLAGS: -lmp3lame
// #include <lame/lame.h>
import "C"

import (
	"fmt"

	"github.com/lexilingo/modelgateway/engines/encode"
)

// mp3 encodes with LAME, at a constant bitrate: the stream has no header then that would
// have to be written at its end.
type mp3 struct {
	lame *C.lame_global_flags
	out  []byte
}

func newMP3(s encode.Settings) (encode.Encoder, error) {
	m := &mp3{lame: C.lame_init()}
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
	return m.out[:n], nil
}
