package codecs

// #cgo LDFLAGS: -lFLAC
// #include "flac.h"
import "C"

import (
	"errors"
	"fmt"
	"unsafe"

	"github.com/lexilingo/modelgateway/engines/encode"
)

// flac encodes with libFLAC.
type flac struct{ enc *C.flac_encoder }

func newFLAC(s encode.Settings) (encode.Encoder, error) {
	f := &flac{enc: C.flac_new(C.uint(s.Rate))}
	if f.enc == nil {
		return nil, fmt.Errorf("libFLAC does not start with %d Hz", s.Rate)
	}
	return f, nil
}

// Encode implements encode.Encoder.
func (f *flac) Encode(samples []int16) ([]byte, error) {
	if len(samples) > 0 && C.flac_encode(f.enc, (*C.short)(&samples[0]), C.uint(len(samples))) == 0 {
		return nil, errors.New("libFLAC failed")
	}
	return f.encoded(), nil
}

// Finish implements encode.Encoder.
func (f *flac) Finish() ([]byte, error) {
	if C.FLAC__stream_encoder_finish(f.enc.encoder) == 0 {
		return nil, errors.New("libFLAC does not end the stream")
	}
	return f.encoded(), nil
}

// encoded returns what has been made, and forgets it.
func (f *flac) encoded() []byte {
	out := C.GoBytes(unsafe.Pointer(f.enc.bytes), C.int(f.enc.length))
	f.enc.length = 0
	return out
}

// Close implements encode.Encoder.
func (f *flac) Close() { C.flac_free(f.enc) }
