package audio

import (
	"encoding/binary"
	"errors"
	"io"
	"math"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// sampleType is the type of one PCM sample; all are little-endian.
type sampleType struct {
	bytes int
	float bool
	// companded has the value of each code of one byte; nil if samples are linear.
	companded *[256]int16
}

// value returns the sample at the start of b, integers scaled to -1..1. 8-bit
// integers are unsigned, as in WAV.
func (t sampleType) value(b []byte) float32 {
	switch {
	case t.companded != nil:
		return float32(t.companded[b[0]]) / (1 << 15)
	case t.float && t.bytes == 8:
		return float32(math.Float64frombits(binary.LittleEndian.Uint64(b)))
	case t.float:
		return math.Float32frombits(binary.LittleEndian.Uint32(b))
	case t.bytes == 1:
		return (float32(b[0]) - 128) / (1 << 7)
	case t.bytes == 2:
		return float32(int16(binary.LittleEndian.Uint16(b))) / (1 << 15)
	case t.bytes == 3:
		return float32(int32(uint32(b[0])<<8|uint32(b[1])<<16|uint32(b[2])<<24)) / (1 << 31)
	default:
		return float32(int32(binary.LittleEndian.Uint32(b))) / (1 << 31)
	}
}

// pcm decodes interleaved samples.
type pcm struct {
	r     io.Reader
	meta  Info
	typ   sampleType
	mixer *mixer
	frame int // bytes of one sample of each channel

	buf  []byte // whole frames; its first held bytes are the beginning of a frame
	held int
	out  []float32
}

// pcmBlock is the maximum number of bytes that are decoded at once.
const pcmBlock = 16 << 10

func newPCM(r io.Reader, meta Info, typ sampleType) *pcm {
	frame := typ.bytes * meta.Channels
	buf := make([]byte, pcmBlock/frame*frame)
	return &pcm{r: r, meta: meta, typ: typ, mixer: newMixer(meta.SampleRate, meta.Channels), frame: frame, buf: buf, out: make([]float32, len(buf)/frame)}
}

// newRawPCM returns a decoder for samples as format describes them.
func newRawPCM(format *gatewayv1.AudioFormat, r io.Reader) (*pcm, error) {
	meta := Info{
		Encoding:   format.GetEncoding(),
		SampleRate: int(format.GetSampleRateHertz()),
		Channels:   int(format.GetChannelCount()),
	}
	if meta.SampleRate == 0 {
		meta.SampleRate = SampleRate
	}
	if meta.Channels == 0 {
		meta.Channels = 1
	}
	if err := checkShape(meta.SampleRate, meta.Channels, errs.InvalidRequest); err != nil {
		return nil, err
	}
	typ := sampleType{bytes: 2}
	if meta.Encoding == pcmF32LE {
		typ = sampleType{bytes: 4, float: true}
	}
	return newPCM(r, meta, typ), nil
}

// checkShape returns an error with reason if the rate or the number of channels is
// not supported.
func checkShape(rate, channels int, reason errs.Reason) error {
	if rate < minRate || rate > maxRate {
		return errs.New(reason, "the audio has a sample rate of %d Hz, which is not supported: send %d to %d Hz", rate, minRate, maxRate)
	}
	if channels < 1 || channels > maxChannels {
		return errs.New(reason, "the audio has %d channels, which is not supported: send 1 to %d", channels, maxChannels)
	}
	return nil
}

func (p *pcm) info() Info { return p.meta }

// next implements decoder. It drops an incomplete frame at the end.
func (p *pcm) next() ([]float32, error) {
	n, err := p.r.Read(p.buf[p.held:])
	n += p.held
	frames := n / p.frame
	for i := range frames {
		p.out[i] = p.mean(p.buf[i*p.frame:])
	}
	p.held = copy(p.buf, p.buf[frames*p.frame:n])
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF
	}
	return p.out[:frames], err
}

// mean averages the channels of the frame at the start of b.
func (p *pcm) mean(b []byte) float32 {
	if p.meta.Channels == 1 {
		return p.typ.value(b)
	}
	for c := range p.meta.Channels {
		p.mixer.in[c] = float64(p.typ.value(b[c*p.typ.bytes:]))
	}
	return float32(p.mixer.mean())
}
