package codecs

// #cgo LDFLAGS: -lopencore-amrnb -lopencore-amrwb
// #include <opencore-amrnb/interf_dec.h>
// #include <opencore-amrwb/dec_if.h>
import "C"

import (
	"errors"
	"unsafe"

	"github.com/lexilingo/modelgateway/engines/decode"
)

// Samples of a frame of 20 ms.
const (
	narrowSamples = 160
	wideSamples   = 320
)

// frameBytes is more than a frame has: the libraries read as many bytes as its header
// says.
const frameBytes = 64

// amr decodes with opencore-amr.
type amr struct {
	state unsafe.Pointer
	wide  bool
	frame [frameBytes]byte
	out   [wideSamples]int16
}

func newAMR(wide bool) (decode.Decoder, error) {
	a := &amr{wide: wide}
	if wide {
		a.state = C.D_IF_init()
	} else {
		a.state = C.Decoder_Interface_init()
	}
	if a.state == nil {
		return nil, errors.New("opencore-amr does not start")
	}
	return a, nil
}

// Decode implements decode.Decoder.
func (a *amr) Decode(packet []byte) (decode.Sound, bool) {
	if len(packet) == 0 || len(packet) > frameBytes {
		return decode.Sound{}, false
	}
	clear(a.frame[:])
	copy(a.frame[:], packet)
	in, out := (*C.uchar)(&a.frame[0]), (*C.short)(&a.out[0])
	rate, n := 8000, narrowSamples
	if a.wide {
		rate, n = 16000, wideSamples
		C.D_IF_decode(a.state, in, out, 0)
	} else {
		C.Decoder_Interface_Decode(a.state, in, out, 0)
	}
	return decode.Sound{Rate: rate, Channels: 1, Samples: a.out[:n]}, true
}

// Close implements decode.Decoder.
func (a *amr) Close() {
	if a.wide {
		C.D_IF_exit(a.state)
	} else {
		C.Decoder_Interface_exit(a.state)
	}
}
