package audio

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"math"

	"github.com/hajimehoshi/go-mp3"

	"github.com/lexilingo/modelgateway/engines/errs"
)

const (
	// mp3MaxJunk is how many bytes may precede the first frame.
	mp3MaxJunk = 64 << 10
	// mp3MaxDamage is how many attempts in a row to continue after damage may
	// fail.
	mp3MaxDamage = 64
	// mp3DecoderDelay is the delay in samples that every decoder adds to the
	// encoder's: 528 of the filter bank, and one.
	mp3DecoderDelay = 529
)

// mp3Header is the header of an MPEG audio frame (ISO 11172-3, 13818-3).
type mp3Header uint32

func (h mp3Header) valid() bool {
	return h>>21 == 0x7ff && h.version() != 1 && h>>17&3 == 1 && // sync, known version, layer III
		h>>12&15 != 15 && h>>12&15 != 0 && h>>10&3 != 3 && h&3 != 2
}

// version is 3 for MPEG-1, 2 for MPEG-2, 0 for MPEG-2.5.
func (h mp3Header) version() int { return int(h >> 19 & 3) }

func (h mp3Header) channels() int {
	if h>>6&3 == 3 {
		return 1
	}
	return 2
}

// samples is the number of samples of a frame.
func (h mp3Header) samples() int {
	if h.version() == 3 {
		return 1152
	}
	return 576
}

// sideInfo is the length in bytes of the side information after the header.
func (h mp3Header) sideInfo() int {
	switch {
	case h.version() == 3 && h.channels() == 2:
		return 32
	case h.version() == 3 || h.channels() == 2:
		return 17
	default:
		return 9
	}
}

// size is the frame's length in bytes.
func (h mp3Header) size() int {
	rates := [3]int{44100, 48000, 32000}
	kbits := [15]int{0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320}
	rate := rates[h>>10&3]
	if h.version() != 3 {
		kbits = [15]int{0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160}
		rate /= 2
	}
	return h.samples()/8*kbits[h>>12&15]*1000/rate + int(h>>9&1)
}

// mp3Decoder decodes MP3. It removes the delay of encoder and decoder if the file
// states it, so that times are correct.
type mp3Decoder struct {
	r       *bufio.Reader
	decoder *mp3.Decoder
	meta    Info
	skip    int   // samples still to drop
	left    int64 // samples still to return
	damaged int   // attempts that failed in a row

	buf [4608]byte // a frame: the decoder always returns 16-bit stereo
	out [1152]float32
}

func newMP3(r *bufio.Reader) (*mp3Decoder, error) {
	d := &mp3Decoder{r: r, left: math.MaxInt64}
	h, err := d.seekFrame(mp3MaxJunk)
	if errors.Is(err, io.EOF) {
		return nil, errs.New(errs.AudioUnreadable, "the audio looks like MP3 but contains no MP3 frame: %s", sendSupported)
	}
	if err != nil {
		return nil, err
	}
	if h.version() == 0 {
		return nil, errs.New(errs.AudioUnreadable, "the audio is MP3 of MPEG version 2.5 (8 to 12 kHz), which is not supported: convert it to 16 kHz or more")
	}
	if err := d.readInfo(h); err != nil {
		return nil, err
	}
	d.meta = Info{Encoding: mp3File, Channels: h.channels()}
	for d.restart() != nil {
		if d.damaged++; d.damaged > mp3MaxDamage {
			return nil, damaged("MP3 stream")
		}
		if _, err := d.seekFrame(mp3MaxJunk); errors.Is(err, io.EOF) {
			return nil, errs.New(errs.AudioUnreadable, "the MP3 stream has no frame that can be decoded: send an undamaged file")
		} else if err != nil {
			return nil, err
		}
	}
	d.meta.SampleRate = d.decoder.SampleRate()
	return d, checkShape(d.meta.SampleRate, d.meta.Channels, errs.AudioUnreadable)
}

func (d *mp3Decoder) info() Info { return d.meta }

// seekFrame skips at most limit bytes to the next frame header. It returns io.EOF
// if there is none.
func (d *mp3Decoder) seekFrame(limit int) (mp3Header, error) {
	for range limit {
		b, err := d.r.Peek(4)
		if err != nil {
			return 0, err
		}
		if h := mp3Header(binary.BigEndian.Uint32(b)); h.valid() {
			return h, nil
		}
		if _, err := d.r.Discard(1); err != nil {
			return 0, err
		}
	}
	return 0, io.EOF
}

// readInfo reads and skips the first frame if it describes the file instead of
// holding sound: Xing's "Xing" or "Info" tag, with LAME's extension.
func (d *mp3Decoder) readInfo(h mp3Header) error {
	b, err := d.r.Peek(h.size())
	if err != nil {
		if errors.Is(err, io.EOF) {
			return nil
		}
		return err
	}
	size := len(b)
	if b = b[4+h.sideInfo():]; len(b) < 8 || string(b[:4]) != "Xing" && string(b[:4]) != "Info" {
		return nil
	}
	flags := binary.BigEndian.Uint32(b[4:])
	b = b[8:]
	frames := int64(0)
	if flags&1 != 0 && len(b) >= 4 {
		frames = int64(binary.BigEndian.Uint32(b))
	}
	// The flags say which fields follow: frames, bytes, seek table, quality.
	fields := int(flags&1*4 + flags>>1&1*4 + flags>>2&1*100 + flags>>3&1*4)
	d.readLAME(h, frames, b[min(len(b), fields):])
	_, err = d.r.Discard(size)
	return err
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
	delay := int(b[21])<<4 | int(b[22])>>4
	padding := int(b[22]&15)<<8 | int(b[23])
	d.skip = delay + mp3DecoderDelay
	if frames > 0 {
		d.left = max(0, frames*int64(h.samples())-int64(delay+padding))
	}
}

// restart creates a decoder for the stream from the current position on.
func (d *mp3Decoder) restart() (err error) {
	d.decoder = nil
	defer func() {
		if recover() != nil {
			err = errMP3Damaged
		}
	}()
	d.decoder, err = mp3.NewDecoder(d.r)
	return err
}

// errMP3Damaged means that the decoder panicked.
var errMP3Damaged = errors.New("damaged MP3 frame")

// next implements decoder. Decoding of MP3 can start at any frame: after damage
// it continues at the next one that can be decoded.
func (d *mp3Decoder) next() ([]float32, error) {
	if d.left == 0 {
		return nil, io.EOF
	}
	n, err := d.read()
	if n > 0 {
		d.damaged = 0
	}
	samples := d.trim(d.mix(n))
	if err == nil || errors.Is(err, io.EOF) {
		return samples, err
	}
	if d.damaged++; d.damaged > mp3MaxDamage {
		return samples, damaged("MP3 stream").WithCause(err)
	}
	if _, err := d.seekFrame(math.MaxInt); err != nil {
		return samples, err
	}
	if errors.Is(d.restart(), io.EOF) {
		return samples, io.EOF
	}
	return samples, nil
}

// read decodes up to a frame into buf and returns the number of bytes. A frame
// that makes the decoder panic counts as damaged.
func (d *mp3Decoder) read() (n int, err error) {
	defer func() {
		if recover() != nil {
			n, err = 0, errMP3Damaged
		}
	}()
	if d.decoder == nil {
		return 0, errMP3Damaged
	}
	return d.decoder.Read(d.buf[:])
}

// mix averages the two channels of the first n bytes of buf.
func (d *mp3Decoder) mix(n int) []float32 {
	frames := n / 4
	for i := range frames {
		left := int16(binary.LittleEndian.Uint16(d.buf[4*i:]))
		right := int16(binary.LittleEndian.Uint16(d.buf[4*i+2:]))
		d.out[i] = (float32(left) + float32(right)) / (1 << 16)
	}
	return d.out[:frames]
}

// trim removes the delay and the padding.
func (d *mp3Decoder) trim(samples []float32) []float32 {
	skip := min(d.skip, len(samples))
	d.skip -= skip
	samples = samples[skip:]
	samples = samples[:min(int64(len(samples)), d.left)]
	d.left -= int64(len(samples))
	return samples
}
