// Package decode is the protocol with decode-speech, a helper (see package helper) that
// decodes formats for which there is no Go library.
//
// The first frame describes the stream, as its container does, and is answered by an
// empty one. Each further frame has packets of the stream, and is answered by their
// samples.
package decode

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/lexilingo/modelgateway/engines/helper"
)

// Program is the name of the helper.
const Program = "decode-speech"

// The codecs that it decodes.
const (
	// AAC is described by its AudioSpecificConfig.
	AAC = "aac"
	// AMRNB and AMRWB have no description. Each packet is a frame with its header.
	AMRNB = "amrnb"
	AMRWB = "amrwb"
	// Vorbis is described by two packets: its first header, and the one with its tables.
	Vorbis = "vorbis"
)

const (
	// MaxPackets is the largest number of packets in a frame.
	MaxPackets = 32
	// MaxPacket is the largest size of a packet, in bytes.
	MaxPacket = 16 << 10
	// MaxSamples is the largest number of samples of a packet, of all channels. The answer
	// to MaxPackets packets must fit into a frame.
	MaxSamples = 15 << 10
)

// Decoder decodes the packets of a stream.
type Decoder interface {
	// Decode returns the samples of a packet, channels interleaved, and false for a packet
	// that is damaged. One that is not may have no samples.
	Decode(packet []byte) (Sound, bool)
	// Close frees the decoder.
	Close()
}

// Sound is what a packet becomes.
type Sound struct {
	// Rate is the sample rate, in Hz.
	Rate int
	// Channels is the number of channels.
	Channels int
	Samples  []int16
}

// Packets returns a frame with packets.
func Packets(packets [][]byte) []byte {
	var frame []byte
	for _, p := range packets {
		frame = binary.BigEndian.AppendUint32(frame, uint32(len(p))) //nolint:gosec // at most MaxPacket
		frame = append(frame, p...)
	}
	return frame
}

var errFrame = errors.New("a frame is damaged")

// Split is the reverse of Packets.
func Split(frame []byte) ([][]byte, error) {
	var packets [][]byte
	for len(frame) > 0 {
		if len(frame) < 4 {
			return nil, errFrame
		}
		size := binary.BigEndian.Uint32(frame)
		if frame = frame[4:]; size > uint32(len(frame)) { //nolint:gosec // at most 1 MiB
			return nil, errFrame
		}
		packets, frame = append(packets, frame[:size]), frame[size:]
	}
	return packets, nil
}

// Answer is the answer to a frame.
type Answer struct {
	Sound
	// Lost is how many packets were damaged. They are silence, so that later times stay
	// correct.
	Lost int
}

const answerHeader = 4 + 1 + 1

// maxAnswer is the largest number of samples of an answer, which is a frame.
const maxAnswer = (helper.MaxFrame - answerHeader) / 2

// encode returns the frame of an answer.
func (a Answer) encode() []byte {
	frame := binary.BigEndian.AppendUint32(nil, uint32(a.Rate))            //nolint:gosec // a sample rate
	frame = append(frame, byte(a.Channels), byte(min(a.Lost, MaxPackets))) //nolint:gosec // of a byte
	for _, s := range a.Samples {
		frame = binary.LittleEndian.AppendUint16(frame, uint16(s)) //nolint:gosec // two's complement
	}
	return frame
}

// ParseAnswer reads an answer. The helper may have been taken over by what it decodes, so
// nothing in it is trusted.
func ParseAnswer(frame []byte) (Answer, error) {
	if len(frame) < answerHeader {
		return Answer{}, errFrame
	}
	a := Answer{Lost: int(frame[5])}
	a.Rate, a.Channels = int(binary.BigEndian.Uint32(frame)), int(frame[4])
	if frame = frame[answerHeader:]; len(frame) == 0 {
		return a, nil
	}
	if a.Rate < 1 || a.Rate > 1<<20 || a.Channels < 1 || len(frame)%(2*a.Channels) != 0 {
		return Answer{}, errFrame
	}
	a.Samples = make([]int16, len(frame)/2)
	for i := range a.Samples {
		a.Samples[i] = int16(binary.LittleEndian.Uint16(frame[2*i:])) //nolint:gosec // two's complement
	}
	return a, nil
}

// Serve answers frames until the end. open makes the decoder of a stream from its
// description.
func Serve(r io.Reader, w io.Writer, open func(description []byte) (Decoder, error)) error {
	description, err := helper.ReadFrame(r)
	if err != nil {
		return err
	}
	decoder, err := open(description)
	if err != nil {
		return err
	}
	defer decoder.Close()
	if err := helper.WriteFrame(w, nil); err != nil {
		return err
	}
	stream := stream{decoder: decoder}
	for {
		frame, err := helper.ReadFrame(r)
		if err != nil {
			return err // also if the engine is gone
		}
		packets, err := Split(frame)
		if err != nil {
			return err
		}
		if err := helper.WriteFrame(w, stream.answer(packets).encode()); err != nil {
			return err
		}
	}
}

// stream is a stream that is decoded. Its format is that of its first sound.
type stream struct {
	decoder Decoder
	last    Sound // the last packet that was not damaged
	early   int   // packets before the first sound
}

func (s *stream) answer(packets [][]byte) Answer {
	var a Answer
	for _, packet := range packets {
		sound, ok := s.decoder.Decode(packet)
		known := s.last.Channels > 0
		ok = ok && len(sound.Samples) <= MaxSamples &&
			(!known || len(sound.Samples) == 0 || sound.Rate == s.last.Rate && sound.Channels == s.last.Channels)
		switch {
		case !ok && !known:
			s.early++
			a.Lost++
			continue
		case !ok:
			a.Lost++
			a.Samples = append(a.Samples, make([]int16, len(s.last.Samples))...)
			continue
		case len(sound.Samples) == 0:
			continue
		case !known:
			a.Samples = make([]int16, min(s.early, MaxPackets)*len(sound.Samples))
		}
		s.last = sound
		a.Samples = append(a.Samples, sound.Samples...)
	}
	a.Rate, a.Channels = s.last.Rate, s.last.Channels
	if over := len(a.Samples) - maxAnswer; over > 0 { // of the silence at the beginning
		a.Samples = a.Samples[(over+a.Channels-1)/a.Channels*a.Channels:]
	}
	return a
}

// Usage is the error of wrong arguments.
func Usage() error { return fmt.Errorf("usage: %s CODEC; the engines run it", Program) }
