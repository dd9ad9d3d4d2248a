package codecs

import (
	"errors"
	"math"

	"github.com/jfreymuth/vorbis"

	"github.com/lexilingo/modelgateway/engines/decode"
)

// vorbisDecoder decodes with a library in Go. It runs here and not in the engine, because
// the library believes what the headers of a stream say.
type vorbisDecoder struct {
	decoder vorbis.Decoder
	floats  []float32
	samples []int16
}

func newVorbis(description []byte) (_ decode.Decoder, err error) {
	headers, err := decode.Split(description)
	if err != nil {
		return nil, err
	}
	if len(headers) != 2 {
		return nil, errors.New("it has no headers")
	}
	if err := checkVorbis(headers[0], headers[1]); err != nil {
		return nil, err
	}
	defer func() {
		if recover() != nil {
			err = errVorbisHeaders
		}
	}()
	v := &vorbisDecoder{}
	for _, h := range headers {
		if err := v.decoder.ReadHeader(h); err != nil {
			return nil, errVorbisHeaders
		}
	}
	v.floats = make([]float32, v.decoder.BufferSize())
	return v, nil
}

// Decode implements decode.Decoder. The first packet has no samples of its own.
func (v *vorbisDecoder) Decode(packet []byte) (_ decode.Sound, ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	if len(packet) == 0 {
		return decode.Sound{}, false
	}
	floats, err := v.decoder.DecodeInto(packet, v.floats)
	if err != nil {
		return decode.Sound{}, false
	}
	v.samples = v.samples[:0]
	for _, f := range floats {
		s := math.RoundToEven(float64(f) * 32768)
		if s != s {
			s = 0
		}
		v.samples = append(v.samples, int16(max(math.MinInt16, min(math.MaxInt16, s))))
	}
	return decode.Sound{Rate: v.decoder.SampleRate(), Channels: v.decoder.Channels(), Samples: v.samples}, true
}

// Close implements decode.Decoder.
func (v *vorbisDecoder) Close() {}
