package audio

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"math"

	"github.com/lexilingo/modelgateway/engines/audio/layer3"
	"github.com/lexilingo/modelgateway/engines/errs"
)

const (
	// mp3MaxJunk is how many bytes may precede the first frame.
	mp3MaxJunk = 64 << 10
	// mp3MaxDamage is how many frames in a row may be damaged.
	mp3MaxDamage = 64
	// mp3DecoderDelay is the delay in samples that every decoder adds to the
	// encoder's: 528 of the filter bank, and one.
	mp3DecoderDelay = 529
)

// mp3Decoder decodes MP3. It removes the delay of encoder and decoder if the file
// states it, so that times are correct. Several files, one after the other, are
// one recording: each of them is a part.
type mp3Decoder struct {
	frames  mp3Frames
	decoder *layer3.Decoder // nil before the first frame, and after a damaged one
	mixer   *mixer
	meta    Info
	part    mp3Header // of the part's first frame
	loaded  bool      // the frame after it has been read, but not decoded
	any     bool      // a frame was decoded
	damaged int       // frames in a row that were damaged

	// Samples of the part: position is that of the next one. Those before skip, and
	// those from end to total, are delay and padding. There are more than total if
	// the next file has no information of its own.
	position, skip, end, total int64

	buf [2][layer3.MaxSamples]float32 // a frame, each channel
	out [layer3.MaxSamples]float32
}

func newMP3(r *bufio.Reader) (*mp3Decoder, error) {
	d := &mp3Decoder{frames: mp3Frames{r: r}}
	h, err := d.frames.next(mp3MaxJunk)
	if errors.Is(err, io.EOF) || errors.Is(err, errNextFile) {
		return nil, errs.New(errs.AudioUnreadable, "the audio looks like MP3 but contains no MP3 frame: %s", sendSupported)
	}
	if err != nil {
		return nil, err
	}
	return d, d.begin(h)
}

func (d *mp3Decoder) info() Info { return d.meta }

// begin starts a part with the current frame. It is decoded next, unless it
// describes the part instead of holding sound.
func (d *mp3Decoder) begin(h mp3Header) error {
	d.part, d.decoder = h, nil
	d.meta = Info{Encoding: mp3File, SampleRate: h.rate(), Channels: h.channels()}
	d.mixer = newMixer(h.rate(), h.channels())
	d.position, d.skip, d.end, d.total = 0, 0, math.MaxInt64, math.MaxInt64
	d.loaded = !d.readInfo(h)
	return nil
}

// mp3Info returns what follows the name of the tag that Xing and others write into
// the first frame; nil if the frame has none.
func mp3Info(h mp3Header, frame []byte) []byte {
	b := frame[min(len(frame), 4+h.sideInfo()):]
	if len(b) < 8 || string(b[:4]) != "Xing" && string(b[:4]) != "Info" {
		return nil
	}
	return b[4:]
}

// readInfo reads the current frame if it describes the file instead of holding
// sound: Xing's tag, with LAME's extension.
func (d *mp3Decoder) readInfo(h mp3Header) bool {
	b := mp3Info(h, d.frames.rest)
	if b == nil {
		return false
	}
	flags := binary.BigEndian.Uint32(b)
	b = b[4:]
	frames := int64(0)
	if flags&1 != 0 && len(b) >= 4 {
		frames = int64(binary.BigEndian.Uint32(b))
	}
	// The flags say which fields follow: frames, bytes, seek table, quality.
	fields := int(flags&1*4 + flags>>1&1*4 + flags>>2&1*100 + flags>>3&1*4)
	d.readLAME(h, frames, b[min(len(b), fields):])
	return true
}

// readLAME reads the delay and padding that LAME and libavformat write after the
// fields of the Xing tag.
func (d *mp3Decoder) readLAME(h mp3Header, frames int64, b []byte) {
	if len(b) < 24 {
		return
	}
	switch string(b[:4]) {
	case "LAME", "Lavf", "Lavc", "L3.9":
	default:
		return
	}
	delay := int64(b[21])<<4 | int64(b[22])>>4
	padding := int64(b[22]&15)<<8 | int64(b[23])
	d.skip = delay + mp3DecoderDelay
	if frames > 0 {
		d.total = frames * int64(h.samples())
		d.end = max(d.skip, d.total-padding+mp3DecoderDelay)
	}
}

// next implements decoder. Decoding of MP3 can start at any frame: after damage
// it continues at the next one that can be decoded.
func (d *mp3Decoder) next() ([]float32, error) {
	if !d.loaded {
		h, err := d.frames.next(math.MaxInt)
		if errors.Is(err, io.EOF) && !d.any {
			return nil, errs.New(errs.AudioUnreadable, "the MP3 stream has no frame that can be decoded: send an undamaged file")
		}
		if err != nil {
			return nil, err
		}
		if !h.like(d.part) || mp3Info(h, d.frames.rest) != nil {
			return nil, d.begin(h)
		}
	}
	d.loaded = false
	samples, err := d.decode()
	if err != nil {
		d.position += int64(d.part.samples())
		d.decoder = nil
		if d.damaged++; d.damaged > mp3MaxDamage {
			return nil, damaged("MP3 stream").WithCause(err)
		}
		return nil, nil
	}
	d.any, d.damaged = true, 0
	return d.trim(samples), nil
}

// decode decodes the current frame, and returns the mean of its channels.
func (d *mp3Decoder) decode() ([]float32, error) {
	if d.decoder == nil {
		d.decoder = &layer3.Decoder{}
	}
	n, err := d.decoder.Decode(d.frames.rest, &d.buf)
	if err != nil {
		return nil, err
	}
	if d.part.channels() == 1 {
		return append(d.out[:0], d.buf[0][:n]...), nil
	}
	for i := range n {
		d.mixer.in[0], d.mixer.in[1] = float64(d.buf[0][i]), float64(d.buf[1][i])
		d.out[i] = float32(d.mixer.mean())
	}
	return d.out[:n], nil
}

// trim removes the delay and the padding.
func (d *mp3Decoder) trim(samples []float32) []float32 {
	kept := samples[:0]
	for _, s := range samples {
		if d.position >= d.skip && (d.position < d.end || d.position >= d.total) {
			kept = append(kept, s)
		}
		d.position++
	}
	return kept
}
