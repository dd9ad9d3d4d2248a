package audio

import (
	"bufio"
	"io"

	"github.com/lexilingo/modelgateway/engines/decode"
	"github.com/lexilingo/modelgateway/engines/errs"
)

const (
	amrMagic     = "#!AMR\n"
	amrWideMagic = "#!AMR-WB\n"
)

// Bytes of a frame after its header, by its type (RFC 4867, 5.3); -1 if there is no such
// type.
var (
	amrBytes     = [16]int{12, 13, 15, 17, 19, 20, 26, 31, 5, -1, -1, -1, -1, -1, -1, 0}
	amrWideBytes = [16]int{17, 23, 32, 36, 40, 46, 50, 58, 60, 5, -1, -1, -1, -1, 0, 0}
)

// amrDecoder decodes the files of RFC 4867, narrowband and wideband.
type amrDecoder struct {
	r      *bufio.Reader
	codec  string // of package decode
	sizes  *[16]int
	stream *nativeStream // nil before the first frame
}

func newAMR(r *bufio.Reader) (*amrDecoder, error) {
	d := &amrDecoder{r: r, codec: decode.AMRNB, sizes: &amrBytes}
	magic := amrMagic
	b, _ := r.Peek(len(amrWideMagic)) // a short file has less
	if string(b) == amrWideMagic {
		magic, d.codec, d.sizes = amrWideMagic, decode.AMRWB, &amrWideBytes
	}
	if len(b) < len(magic) || string(b[:len(magic)]) != magic {
		return nil, unsupported("AMR with several channels")
	}
	if _, err := r.Discard(len(magic)); err != nil {
		return nil, err
	}
	return d, nil
}

func (d *amrDecoder) info() Info {
	if d.stream == nil {
		return Info{Encoding: amrFile}
	}
	return Info{Encoding: amrFile, SampleRate: d.stream.rate, Channels: d.stream.count}
}

// close ends the program that decodes.
func (d *amrDecoder) close() {
	if d.stream != nil {
		d.stream.close()
	}
}

// programs implements nativeDecoder.
func (d *amrDecoder) programs() int { return 1 }

// next implements decoder.
func (d *amrDecoder) next() ([]float32, error) {
	var frames [][]byte
	for junk := 0; len(frames) < decode.MaxPackets; {
		if len(frames) > 0 && d.r.Buffered() < 64 {
			break // the next one may not have come
		}
		found, err := nextFile(d.r)
		if err == nil && found {
			err = errNextFile
		}
		if err != nil {
			if len(frames) > 0 {
				break // it comes again
			}
			return nil, err
		}
		header, err := d.r.Peek(1)
		if err != nil {
			if len(frames) > 0 {
				break
			}
			return nil, d.end(err)
		}
		size := d.sizes[header[0]>>3&15]
		if size < 0 || header[0]&0x83 != 0 { // the padding bits are 0
			if junk++; junk > nativeMaxDamage {
				return nil, damaged("AMR stream")
			}
			_, _ = d.r.Discard(1) // it has been read
			continue
		}
		frame := make([]byte, 1+size)
		if _, err := io.ReadFull(d.r, frame); err != nil {
			if len(frames) > 0 {
				break
			}
			return nil, d.end(err)
		}
		frames = append(frames, frame)
	}
	if d.stream == nil {
		var err error
		if d.stream, err = newNativeStream("AMR", d.codec, nil); err != nil {
			return nil, err
		}
	}
	return d.stream.decode(frames)
}

// end returns the error at the end of the input.
func (d *amrDecoder) end(err error) error {
	if isEnd(err) && (d.stream == nil || d.stream.rate == 0) {
		return errs.New(errs.AudioUnreadable, "the AMR file has no frame: send the complete file")
	}
	return err
}
