package audio

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/lexilingo/modelgateway/engines/errs"
)

// Format tags of WAVE, from Microsoft's mmreg.h.
const (
	wavPCM        = 0x0001
	wavFloat      = 0x0003
	wavExtensible = 0xfffe
)

// wavFormatBytes is how many bytes of a fmt chunk are read: the length of
// WAVE_FORMAT_EXTENSIBLE.
const wavFormatBytes = 40

// wavUnknown is the length that streaming encoders write for an unknown length.
const wavUnknown = 0xffffffff

// newWAV reads the chunks before the samples. Encoders that write to a pipe leave
// a length of 0 or all ones: the samples then extend to the end of the stream, as
// they do if the length is too large.
//
// go-audio/wav could replace it if it read from an io.Reader that cannot seek, and
// did not trust the lengths in the header.
func newWAV(r *bufio.Reader) (*pcm, error) {
	if _, err := r.Discard(12); err != nil { // "RIFF", length, "WAVE"
		return nil, wavTruncated(err)
	}
	var samples *pcm
	length64 := int64(-1)
	for {
		var header [8]byte
		if _, err := io.ReadFull(r, header[:]); err != nil {
			return nil, wavTruncated(err)
		}
		id, length := string(header[:4]), int64(binary.LittleEndian.Uint32(header[4:]))
		switch id {
		case "data":
			if samples == nil {
				return nil, errs.New(errs.AudioUnreadable, "the WAV file is damaged: it has no format chunk before its samples")
			}
			if length == wavUnknown && length64 > 0 {
				length = length64
			}
			if length != 0 && length != wavUnknown {
				samples.r = io.LimitReader(r, length)
			}
			return samples, nil
		case "fmt ", "ds64":
			body := make([]byte, min(length, wavFormatBytes))
			if _, err := io.ReadFull(r, body); err != nil {
				return nil, wavTruncated(err)
			}
			length -= int64(len(body))
			if id == "ds64" { // RF64: the lengths that 32 bits do not hold
				if len(body) >= 16 {
					length64 = int64(binary.LittleEndian.Uint64(body[8:]))
				}
				break
			}
			var err error
			if samples, err = parseWAVFormat(body, r); err != nil {
				return nil, err
			}
		}
		// Chunks are padded to an even length.
		if _, err := io.CopyN(io.Discard, r, length+length&1); err != nil {
			return nil, wavTruncated(err)
		}
	}
}

func wavTruncated(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errs.New(errs.AudioUnreadable, "the WAV file ends before its first sample: send the complete file")
	}
	return err
}

// parseWAVFormat reads the body of a fmt chunk.
func parseWAVFormat(body []byte, r io.Reader) (*pcm, error) {
	if len(body) < 16 {
		return nil, errs.New(errs.AudioUnreadable, "the WAV file is damaged: its format chunk has %d bytes instead of 16 or more", len(body))
	}
	tag := binary.LittleEndian.Uint16(body)
	channels := int(binary.LittleEndian.Uint16(body[2:]))
	rate := binary.LittleEndian.Uint32(body[4:])
	align := int(binary.LittleEndian.Uint16(body[12:]))
	bits := int(binary.LittleEndian.Uint16(body[14:]))
	if tag == wavExtensible {
		if len(body) < wavFormatBytes {
			return nil, errs.New(errs.AudioUnreadable, "the WAV file is damaged: its extensible format chunk is too short")
		}
		tag = binary.LittleEndian.Uint16(body[24:]) // the sub-format's GUID starts with it
	}
	if tag != wavPCM && tag != wavFloat {
		return nil, errs.New(errs.AudioUnreadable, "the WAV file contains %s, which is not supported: convert it to PCM", wavCodec(tag))
	}
	if err := checkShape(int(min(rate, 1<<30)), channels, errs.AudioUnreadable); err != nil {
		return nil, err
	}
	// A sample may be stored in more bytes than its bits need. The bits are then
	// the upper ones: 24 bits in 4 bytes are read like 32 bits.
	typ := sampleType{bytes: (bits + 7) / 8, float: tag == wavFloat}
	if align%channels == 0 && align/channels > typ.bytes {
		typ.bytes = align / channels
	}
	valid := typ.bytes >= 1 && typ.bytes <= 4 && bits > 0
	if typ.float {
		valid = typ.bytes == 4 || typ.bytes == 8
	}
	if !valid {
		return nil, errs.New(errs.AudioUnreadable, "the WAV file has samples of %d bits, which is not supported: convert it to 16 bits", bits)
	}
	meta := Info{Encoding: wavFile, SampleRate: int(rate), Channels: channels}
	return newPCM(r, meta, typ), nil
}

// wavCodec returns the name of a format tag.
func wavCodec(tag uint16) string {
	switch tag {
	case 0x0002, 0x0011:
		return "ADPCM"
	case 0x0006:
		return "A-law"
	case 0x0007:
		return "µ-law"
	case 0x0031:
		return "GSM 6.10"
	case 0x0050, 0x0055:
		return "MPEG audio"
	default:
		return fmt.Sprintf("audio of format 0x%04x", tag)
	}
}
