package audio

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/lexilingo/modelgateway/engines/errs"
)

// Format tags of WAVE, from Microsoft's mmreg.h.
const (
	wavPCM        = 0x0001
	wavFloat      = 0x0003
	wavALaw       = 0x0006
	wavMuLaw      = 0x0007
	wavExtensible = 0xfffe
)

// wavFormatBytes is how many bytes of a fmt chunk are read: the length of
// WAVE_FORMAT_EXTENSIBLE.
const wavFormatBytes = 40

// wavUnknown is the length that streaming encoders write for an unknown length.
const wavUnknown = 0xffffffff

// wavDecoder decodes WAV. Encoders that write to a pipe leave a length of 0 or all
// ones: the samples then extend to the end of the stream, as they do if the length
// is too large.
//
// go-audio/wav could replace it if it read from an io.Reader that cannot seek, and
// did not trust the lengths in the header.
type wavDecoder struct {
	*pcm
	r        *bufio.Reader
	length64 int64             // from RF64's ds64 chunk; -1 if it has none
	length   int64             // of the chunk of samples
	samples  *io.LimitedReader // nil if they extend to the end of the stream
}

// newWAV reads the chunks before the samples.
func newWAV(r *bufio.Reader) (*wavDecoder, error) {
	if _, err := r.Discard(12); err != nil { // "RIFF", length, "WAVE"
		return nil, wavTruncated(err)
	}
	d := &wavDecoder{r: r, length64: -1}
	if err := d.seekSamples(); err != nil {
		return nil, wavTruncated(err)
	}
	return d, nil
}

// next implements decoder. Behind the samples it looks for more of them, and for
// another file.
func (d *wavDecoder) next() ([]float32, error) {
	samples, err := d.pcm.next()
	if len(samples) > 0 || !errors.Is(err, io.EOF) || d.samples == nil || d.samples.N > 0 {
		return samples, err
	}
	d.held = 0 // an incomplete frame at the end
	if err := d.skipPadding(d.length); err != nil {
		return nil, err
	}
	if found, err := nextFile(d.r); err != nil {
		return nil, err
	} else if found {
		return nil, errNextFile
	}
	if b, err := d.r.Peek(4); err != nil || !wavChunkID(b) {
		return nil, io.EOF // not a chunk: it is ignored, as by players
	}
	return nil, d.seekSamples()
}

// seekSamples reads the chunks up to the next one of samples.
func (d *wavDecoder) seekSamples() error {
	for {
		if d.pcm != nil {
			if found, err := nextFile(d.r); err != nil {
				return err
			} else if found {
				return errNextFile
			}
		}
		var header [8]byte
		if _, err := io.ReadFull(d.r, header[:]); err != nil {
			return err
		}
		id, length := string(header[:4]), int64(binary.LittleEndian.Uint32(header[4:]))
		rest := length
		switch id {
		case "data":
			return d.beginSamples(length)
		case "fmt ", "ds64":
			body := make([]byte, min(length, wavFormatBytes))
			if _, err := io.ReadFull(d.r, body); err != nil {
				return err
			}
			rest -= int64(len(body))
			if err := d.readHeader(id, body); err != nil {
				return err
			}
		}
		if _, err := io.CopyN(io.Discard, d.r, rest); err != nil {
			return err
		}
		if err := d.skipPadding(length); err != nil {
			return err
		}
	}
}

// readHeader reads the body of a chunk that describes the samples.
func (d *wavDecoder) readHeader(id string, body []byte) error {
	if id == "ds64" { // RF64: the lengths that 32 bits do not hold
		if len(body) >= 16 {
			d.length64 = int64(binary.LittleEndian.Uint64(body[8:]))
		}
		return nil
	}
	if d.pcm != nil {
		return nil // the first one counts
	}
	var err error
	d.pcm, err = parseWAVFormat(body, d.r)
	return err
}

// beginSamples starts to decode a chunk of samples.
func (d *wavDecoder) beginSamples(length int64) error {
	if d.pcm == nil {
		return errs.New(errs.AudioUnreadable, "the WAV file is damaged: it has no format chunk before its samples")
	}
	if length == wavUnknown && d.length64 > 0 {
		length = d.length64
	}
	d.length, d.samples, d.pcm.r = length, nil, d.r
	if length != 0 && length != wavUnknown {
		d.samples = &io.LimitedReader{R: d.r, N: length}
		d.pcm.r = d.samples
	}
	return nil
}

// skipPadding skips the byte after a chunk of an odd length. Some writers leave it
// out: the next chunk then begins in its place.
func (d *wavDecoder) skipPadding(length int64) error {
	if length&1 == 0 {
		return nil
	}
	b, err := d.r.Peek(5)
	if err := ignoreEOF(err); err != nil {
		return err
	}
	padded := len(b) == 5 && slices.Contains(wavChunks, string(b[1:]))
	if len(b) == 0 || !padded && wavChunkID(b) {
		return nil
	}
	_, err = d.r.Discard(1)
	return err
}

// wavChunks are the common ids of chunks, and of files that may follow.
var wavChunks = []string{
	"fmt ", "data", "LIST", "fact", "bext", "JUNK", "junk", "FLLR", "PAD ", "PEAK", "iXML", "_PMX", "cue ", "smpl", "inst",
	"plst", "DISP", "cart", "axml", "chna", "ds64", "id3 ", "ID3 ", "levl", "umid", "mext", "minf", "elm1", "regn", "acid",
	"strc", "wavl", "slnt", "afsp", "RIFF", "RF64", "BW64", "fLaC", "OggS",
}

// wavChunkID reports whether b begins like a chunk: four printable characters of
// ASCII.
func wavChunkID(b []byte) bool {
	return len(b) >= 4 && isText(b[:4]) && !strings.ContainsAny(string(b[:4]), "\r\n\t") && b[0] != ' '
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
	if err := checkShape(int(min(rate, 1<<30)), channels, errs.AudioUnreadable); err != nil {
		return nil, err
	}
	typ, err := wavSampleType(tag, bits, align, channels)
	if err != nil {
		return nil, err
	}
	meta := Info{Encoding: wavFile, SampleRate: int(rate), Channels: channels}
	return newPCM(r, meta, typ), nil
}

// wavSampleType returns the type of the samples of a fmt chunk. align is the number of
// bytes of a sample of each channel.
func wavSampleType(tag uint16, bits, align, channels int) (sampleType, error) {
	// A sample may be stored in more bytes than its bits need. The bits are then
	// the upper ones: 24 bits in 4 bytes are read like 32 bits.
	typ := sampleType{bytes: (bits + 7) / 8}
	if align%channels == 0 && align/channels > typ.bytes {
		typ.bytes = align / channels
	}
	valid := false
	switch tag {
	case wavPCM:
		valid = typ.bytes >= 1 && typ.bytes <= 4 && bits > 0
	case wavFloat:
		typ.float = true
		valid = typ.bytes == 4 || typ.bytes == 8
	case wavALaw:
		typ.companded = aLaw
		valid = typ.bytes == 1 && bits > 0
	case wavMuLaw:
		typ.companded = muLaw
		valid = typ.bytes == 1 && bits > 0
	default:
		return typ, errs.New(errs.AudioUnreadable, "the WAV file contains %s, which is not supported: convert it to PCM", wavCodec(tag))
	}
	if !valid {
		return typ, errs.New(errs.AudioUnreadable, "the WAV file has samples of %d bits, which is not supported: convert it to 16 bits", bits)
	}
	return typ, nil
}

// wavCodec returns the name of a format tag.
func wavCodec(tag uint16) string {
	switch tag {
	case 0x0002, 0x0011:
		return "ADPCM"
	case 0x0031:
		return "GSM 6.10"
	case 0x0050, 0x0055:
		return "MPEG audio"
	default:
		return fmt.Sprintf("audio of format 0x%04x", tag)
	}
}
