package audio

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/pion/opus"

	"github.com/lexilingo/modelgateway/engines/errs"
)

const (
	opusRate = 48000 // hertz; Opus counts in it and is decoded at it
	// opusMaxPacket is the longest duration of a packet (RFC 6716, 3.2.5: 120 ms),
	// in samples.
	opusMaxPacket = 5760
	// opusMaxBytes is larger than any packet: 48 frames of 1275 bytes, with their
	// lengths.
	opusMaxBytes = 64 << 10
)

// opusHead is the identification header of a stream (RFC 7845, 5.1).
type opusHead struct {
	channels int
	preSkip  int     // samples to drop at the start
	gain     float32 // factor on all samples
}

const opusHeadMagic = "OpusHead"

// parseOpusHead reads an identification header.
func parseOpusHead(b []byte) (opusHead, error) {
	if len(b) < 19 || string(b[:8]) != opusHeadMagic {
		return opusHead{}, damaged("header of the Opus stream")
	}
	if b[8]&0xf0 != 0 { // the upper half of the version is the incompatible one
		return opusHead{}, errs.New(errs.AudioUnreadable, "the Opus stream has version %d, which is not supported: encode it with version 1", b[8])
	}
	h := opusHead{
		channels: int(b[9]),
		preSkip:  int(binary.LittleEndian.Uint16(b[10:])),
		gain:     float32(math.Pow(10, float64(int16(binary.LittleEndian.Uint16(b[16:])))/256/20)),
	}
	if h.channels < 1 || h.channels > 2 {
		return opusHead{}, errs.New(errs.AudioUnreadable, "the Opus stream has %d channels, which is not supported: send mono or stereo", h.channels)
	}
	// Of several streams, a packet has one part for each: decoded as one, it is noise.
	if family := b[18]; family != 0 && (len(b) < 21 || b[19] != 1) {
		return opusHead{}, errs.New(errs.AudioUnreadable, "the Opus stream consists of several streams, which is not supported: send mono or stereo in one")
	}
	return h, nil
}

// opusPacketSamples returns the duration of a packet in samples, from its first
// two bytes (RFC 6716, 3.1 and 3.2); 0 if it is not a valid packet.
func opusPacketSamples(p []byte) int {
	if len(p) == 0 {
		return 0
	}
	config := p[0] >> 3
	var frame int
	switch {
	case config < 12: // SILK: 10, 20, 40, 60 ms
		frame = []int{480, 960, 1920, 2880}[config&3]
	case config < 16: // hybrid: 10, 20 ms
		frame = []int{480, 960}[config&1]
	default: // CELT: 2.5, 5, 10, 20 ms
		frame = 120 << (config & 3)
	}
	frames := 1
	switch p[0] & 3 {
	case 1, 2:
		frames = 2
	case 3:
		if len(p) < 2 {
			return 0
		}
		frames = int(p[1] & 0x3f)
	}
	if frame*frames > opusMaxPacket {
		return 0
	}
	return frame * frames
}

// opusStream decodes the packets of one stream to mono.
type opusStream struct {
	head    opusHead
	decoder opus.Decoder
	decoded bool // at least one packet was decoded
	mixer   *mixer
	mixed   [opusMaxPacket * 2]float32
	out     []float32
}

func newOpusStream(head opusHead) (*opusStream, error) {
	s := &opusStream{head: head, mixer: newMixer(opusRate, head.channels)}
	return s, s.reset()
}

func (s *opusStream) reset() (err error) {
	s.decoder, err = opus.NewDecoderWithOutput(opusRate, s.head.channels)
	return err
}

func (s *opusStream) sampleRate() int { return opusRate }
func (s *opusStream) channels() int   { return s.head.channels }
func (s *opusStream) close()          {}

// decode implements packetStream. The pre-skip is part of the samples. A damaged packet is
// replaced by silence of its length, so that later times stay correct; if it is the first
// of the stream, decode returns an error.
func (s *opusStream) decode(packets [][]byte) ([]float32, error) {
	s.out = s.out[:0]
	for _, packet := range packets {
		at, n := len(s.out), opusPacketSamples(packet)
		s.out = slices.Grow(s.out, n)[:at+n]
		if s.decodePacket(packet, s.out[at:]) {
			continue
		}
		if !s.decoded {
			return nil, errs.New(errs.AudioUnreadable, "the first packet of the Opus stream cannot be decoded: send an undamaged file")
		}
		if err := s.reset(); err != nil {
			return nil, err
		}
		clear(s.out[at:])
	}
	return s.out, nil
}

// decodePacket decodes the samples of a packet, mixes them into out, and reports whether
// the packet was valid. One that makes the decoder panic is not.
func (s *opusStream) decodePacket(packet []byte, out []float32) (ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	channels, n := s.head.channels, len(out)
	got, err := s.decoder.DecodeToFloat32(packet, s.mixed[:n*channels])
	if err != nil || got != n || n == 0 {
		return false
	}
	for i := range n {
		for c := range channels {
			s.mixer.in[c] = float64(s.mixed[i*channels+c])
		}
		out[i] = float32(s.mixer.mean()) * s.head.gain
	}
	s.decoded = true
	return true
}
