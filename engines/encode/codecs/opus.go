package codecs

// #cgo LDFLAGS: -lopusenc -lopus
// #include <stdlib.h>
// #include <opus/opus.h>
// #include <opus/opusenc.h>
//
// static int set_bitrate(OggOpusEnc *enc, opus_int32 rate) { return ope_encoder_ctl(enc, OPUS_SET_BITRATE(rate)); }
// static int set_voice(OggOpusEnc *enc) { return ope_encoder_ctl(enc, OPUS_SET_SIGNAL(OPUS_SIGNAL_VOICE)); }
// static int set_page_delay(OggOpusEnc *enc, opus_int32 samples) { return ope_encoder_ctl(enc, OPE_SET_MUXING_DELAY(samples)); }
// static int decide_at_once(OggOpusEnc *enc) { return ope_encoder_ctl(enc, OPE_SET_DECISION_DELAY(0)); }
import "C"

import (
	"errors"
	"fmt"
	"unsafe"

	"github.com/lexilingo/modelgateway/engines/encode"
)

// pageDelay is the longest audio in one page of Ogg, in samples at 48 kHz: 0.2 s.
const pageDelay = 9600

// opus encodes with libopusenc, which resamples what Opus does not take.
type opus struct {
	enc      *C.OggOpusEnc
	comments *C.OggOpusComments
}

func newOpus(s encode.Settings) (encode.Encoder, error) {
	o := &opus{comments: C.ope_comments_create()}
	if o.comments == nil {
		return nil, errors.New("libopusenc has no memory")
	}
	var code C.int
	o.enc = C.ope_encoder_create_pull(o.comments, C.opus_int32(s.Rate), 1, 0, &code)
	if o.enc == nil {
		o.Close()
		return nil, opusError("start", code)
	}
	for _, code := range []C.int{C.set_bitrate(o.enc, C.opus_int32(s.Bitrate)), C.set_voice(o.enc), C.set_page_delay(o.enc, pageDelay), C.decide_at_once(o.enc)} {
		if code != C.OPE_OK {
			o.Close()
			return nil, opusError(fmt.Sprintf("encode with %d bit/s", s.Bitrate), code)
		}
	}
	return o, nil
}

// Encode implements encode.Encoder.
func (o *opus) Encode(samples []int16) ([]byte, error) {
	if len(samples) == 0 {
		return nil, nil
	}
	if code := C.ope_encoder_write(o.enc, (*C.opus_int16)(&samples[0]), C.int(len(samples))); code != C.OPE_OK {
		return nil, opusError("encode", code)
	}
	return o.pages(), nil
}

// Finish implements encode.Encoder.
func (o *opus) Finish() ([]byte, error) {
	if code := C.ope_encoder_drain(o.enc); code != C.OPE_OK {
		return nil, opusError("end", code)
	}
	return o.pages(), nil
}

// pages returns the pages that are complete.
func (o *opus) pages() []byte {
	var out []byte
	var page *C.uchar
	var size C.opus_int32
	for C.ope_encoder_get_page(o.enc, &page, &size, 0) == 1 {
		out = append(out, C.GoBytes(unsafe.Pointer(page), C.int(size))...)
	}
	return out
}

// Close implements encode.Encoder.
func (o *opus) Close() {
	if o.enc != nil {
		C.ope_encoder_destroy(o.enc)
	}
	C.ope_comments_destroy(o.comments)
}

func opusError(what string, code C.int) error {
	return fmt.Errorf("libopusenc does not %s: %s", what, C.GoString(C.ope_strerror(code)))
}
