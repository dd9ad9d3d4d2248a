package audio

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"

	"github.com/dustin/go-humanize"

	"github.com/lexilingo/modelgateway/engines/decode"
	"github.com/lexilingo/modelgateway/engines/errs"
)

const (
	// mp4MaxIndex is the largest index (moov or moof) in bytes: of ten hours of AAC.
	mp4MaxIndex = 16 << 20
	// mp4MaxKept is how much sound may come before the index that is needed to read it:
	// an hour of AAC at 64 kbit/s.
	mp4MaxKept = 32 << 20
	// mp4MaxOffset is the largest offset in a file: with a size, it is still a number.
	mp4MaxOffset = math.MaxInt64 / 2
)

// mp4Decoder decodes the first track with sound of an MP4, M4A, 3GP or QuickTime file:
// AAC or AMR. The index comes before the sound, in pieces between it (fragments, which
// browsers send), or after it, as telephones write it. Only in the last case the sound
// is kept until the index has come.
type mp4Decoder struct {
	r      *bufio.Reader
	pos    int64 // in the file
	end    int64 // of the mdat box that is being read; 0 outside of one
	kept   []byte
	keptAt int64 // where kept begins in the file

	track  *mp4Track
	stream *nativeStream
	runs   []mp4Run // of a fragment, after the current one
	run    mp4Run   // whose samples come next
	at     int64    // the next sample, in the file
	sample uint32   // its number in the run
	read   int64    // the end of the last sample, in the file

	position int64 // samples so far, at the rate of the stream
}

func newMP4(r *bufio.Reader) (*mp4Decoder, error) {
	d := &mp4Decoder{r: r}
	for d.track == nil {
		err := d.readBox()
		if isEnd(err) || errors.Is(err, errNextFile) {
			return nil, errs.New(errs.AudioUnreadable, "the MP4 file ends before the index that is needed to read it: send the complete file")
		}
		if err != nil {
			return nil, err
		}
	}
	var err error
	d.stream, err = newNativeStream(d.track.what, d.track.codec, d.track.description)
	return d, err
}

// isEnd reports whether an error says that the input ended.
func isEnd(err error) bool { return err != nil && ignoreEOF(err) == nil }

func (d *mp4Decoder) info() Info {
	return Info{Encoding: mp4File, SampleRate: d.stream.rate, Channels: d.stream.count}
}

// close ends the program that decodes.
func (d *mp4Decoder) close() {
	if d.stream != nil {
		d.stream.close()
	}
}

// programs implements nativeDecoder.
func (d *mp4Decoder) programs() int { return 1 }

// next implements decoder.
func (d *mp4Decoder) next() ([]float32, error) {
	var packets [][]byte
	var err error
	for err == nil && len(packets) < decode.MaxPackets {
		var packet []byte
		if packet, err = d.packet(len(packets) > 0); packet == nil {
			break
		}
		packets = append(packets, packet)
	}
	if len(packets) == 0 {
		if isEnd(err) && d.stream.rate == 0 {
			return nil, errs.New(errs.AudioUnreadable, "the MP4 file has no sound that can be decoded: send an undamaged file")
		}
		return nil, err
	}
	samples, damage := d.stream.decode(packets)
	if damage != nil {
		return nil, damage
	}
	return d.trim(samples), nil // an error comes again
}

// trim removes the delay of the encoder, and what follows the end.
func (d *mp4Decoder) trim(samples []float32) []float32 {
	first, n := d.position, int64(len(samples))
	d.position += n
	if d.stream.rate == 0 || d.track.timescale == 0 {
		return samples
	}
	scale := float64(d.stream.rate) / float64(d.track.timescale)
	skip, end := int64(float64(d.track.skip)*scale), int64(math.MaxInt64)
	if d.track.length > 0 {
		end = skip + int64(math.Round(float64(d.track.length)*scale))
	}
	from := min(max(0, skip-first), n)
	return samples[from:max(from, min(n, end-first))]
}

// packet returns the next sample of the track, which is a packet of its codec. With more,
// it returns nil rather than wait for bytes.
func (d *mp4Decoder) packet(more bool) ([]byte, error) {
	for {
		if d.sample == d.run.count {
			if d.nextRun() {
				continue // it may be empty
			}
			if more {
				return nil, nil
			}
			if err := d.leave(); err != nil {
				return nil, err
			}
			continue
		}
		size := int64(d.run.sizes.at(d.sample))
		offset := d.at
		switch {
		case size > decode.MaxPacket || offset < d.read || offset > mp4MaxOffset || d.kept == nil && offset < d.pos:
			return nil, damaged("MP4 file") // also if bytes are used twice
		case size == 0:
		case d.kept != nil:
			from := offset - d.keptAt
			if from < 0 || size > int64(len(d.kept))-from {
				return nil, damaged("MP4 file")
			}
			d.sample, d.at, d.read = d.sample+1, d.at+size, offset+size
			return d.kept[from : from+size], nil
		case more && int64(d.r.Buffered()) < offset+size-d.pos:
			return nil, nil
		case offset+size > d.end: // in another mdat box
			if err := d.leave(); err != nil {
				return nil, err
			}
			continue
		default:
			packet, err := d.readAt(offset, size)
			d.sample, d.at = d.sample+1, d.at+size
			return packet, err
		}
		d.sample++
	}
}

// nextRun begins the next run. It reports false if none is known.
func (d *mp4Decoder) nextRun() bool {
	ok := len(d.runs) > 0
	if ok {
		d.run, d.runs = d.runs[0], d.runs[1:]
	} else if d.run, ok = d.track.table.next(); !ok {
		d.run, d.kept = mp4Run{}, nil
	}
	d.sample, d.at = 0, d.run.offset
	return ok
}

// leave skips the rest of an mdat box, or reads the next box.
func (d *mp4Decoder) leave() error {
	if d.end == 0 {
		return d.readBox()
	}
	end := d.end
	d.end = 0
	return d.skip(end - d.pos)
}

func (d *mp4Decoder) readAt(offset, size int64) ([]byte, error) {
	if err := d.skip(offset - d.pos); err != nil {
		return nil, err
	}
	packet := make([]byte, size)
	n, err := io.ReadFull(d.r, packet)
	d.pos += int64(n)
	if err != nil {
		return nil, io.EOF // the sound before is used
	}
	return packet, nil
}

func (d *mp4Decoder) skip(n int64) error {
	skipped, err := io.CopyN(io.Discard, d.r, n)
	d.pos += skipped
	return err
}

// readBox reads a box, or its header if it is the one with the sound.
func (d *mp4Decoder) readBox() error {
	if d.pos > 0 {
		if found, err := nextFile(d.r); err != nil {
			return err
		} else if found {
			return errNextFile
		}
	}
	var header [16]byte
	if _, err := io.ReadFull(d.r, header[:8]); err != nil {
		return err
	}
	start, bytes := d.pos, int64(8)
	size := int64(binary.BigEndian.Uint32(header[:]))
	switch size {
	case 0:
		size = math.MaxInt64 - start // to the end
	case 1:
		if _, err := io.ReadFull(d.r, header[8:]); err != nil {
			return err
		}
		bytes, size = 16, int64(min(binary.BigEndian.Uint64(header[8:]), uint64(math.MaxInt64-start))) //nolint:gosec // bounded
	}
	d.pos += bytes
	if size < bytes {
		return damaged("MP4 file")
	}
	switch name := string(header[4:8]); {
	case name == "mdat" && d.track == nil:
		return d.keep(size - bytes)
	case name == "mdat":
		d.end = start + size
		return nil
	case name == "moov" && d.track == nil:
		moov, err := d.index(size - bytes)
		if err == nil {
			d.track, err = mp4FindTrack(moov)
		}
		return err
	case name == "moof" && d.track != nil:
		moof, err := d.index(size - bytes)
		d.runs = d.track.fragment(moof, start)
		return err
	}
	return d.skip(size - bytes)
}

// index reads an index of a size that nothing has checked.
func (d *mp4Decoder) index(size int64) (mp4Bytes, error) {
	if size > mp4MaxIndex {
		return nil, errs.New(errs.AudioUnreadable, "the index of the MP4 file has more than %s: send a shorter file", humanize.IBytes(mp4MaxIndex))
	}
	return d.collect(size)
}

// keep reads sound whose index has not come.
func (d *mp4Decoder) keep(size int64) error {
	if d.kept != nil {
		return damaged("MP4 file")
	}
	d.keptAt = d.pos
	var err error
	if d.kept, err = d.collect(min(size, mp4MaxKept)); err == nil && size > mp4MaxKept {
		return errs.New(errs.AudioUnreadable, "the index of the MP4 file comes after more than %s of sound: write it with the index at the beginning (ffmpeg -movflags +faststart), or send another format",
			humanize.IBytes(mp4MaxKept))
	}
	return err
}

// collect reads bytes. It allocates as they arrive.
func (d *mp4Decoder) collect(size int64) ([]byte, error) {
	var all bytes.Buffer
	n, err := io.CopyN(&all, d.r, size)
	d.pos += n
	return all.Bytes(), err
}
