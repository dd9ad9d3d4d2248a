package audio

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"math"

	"github.com/lexilingo/modelgateway/engines/errs"
)

// oggMaxPacket is larger than any packet, and than the tables of Vorbis.
const oggMaxPacket = opusMaxBytes

// oggDecoder decodes Opus (RFC 7845) and Vorbis in Ogg. Of multiplexed streams it decodes
// the first one that it can; chained streams, one after the other, are one recording.
type oggDecoder struct {
	pages   *oggPages
	begun   bool         // a stream that can be decoded
	stream  packetStream // nil before the headers of the stream
	vorbis  []byte       // the first header of a stream of Vorbis; nil for Opus
	started int          // programs that decode Vorbis, so far
	sound   bool         // a stream has had sound
	serial  uint32
	tags    bool   // the comment header has been read
	ended   bool   // the stream's last page has been read
	other   string // the format of the first stream that cannot be decoded, of those that begin here

	open   bool     // the last packet continues on the next page
	packet []byte   // the open packet's bytes so far
	lost   bool     // the open packet is too long or has no beginning: it is dropped
	queue  [][]byte // complete packets of the current page, mostly in its buffer

	// Samples of the stream: position is that of the next one. Those before skip and from
	// end on are not heard. Granule positions are positions plus base.
	position, skip, end, base int64
	based                     bool  // base is known
	granule                   int64 // of the current page
}

func newOgg(r *bufio.Reader) (*oggDecoder, error) {
	d := &oggDecoder{pages: newOggPages(r)}
	for !d.begun {
		page, err := d.pages.next()
		if errors.Is(err, io.EOF) || errors.Is(err, errNextFile) {
			if d.other == "" {
				return nil, errs.New(errs.AudioUnreadable, "the Ogg file is incomplete or damaged: send the complete file")
			}
			return nil, unsupported(d.other)
		}
		if err != nil {
			return nil, err
		}
		if page.flags&oggFirst == 0 && d.other != "" {
			return nil, unsupported(d.other)
		}
		if err := d.addPage(page); err != nil {
			return nil, err
		}
	}
	return d, nil
}

func (d *oggDecoder) info() Info {
	if d.stream == nil {
		return Info{Encoding: oggOpus}
	}
	return Info{Encoding: oggOpus, SampleRate: d.stream.sampleRate(), Channels: d.stream.channels()}
}

// close implements nativeDecoder.
func (d *oggDecoder) close() {
	if d.stream != nil {
		d.stream.close()
	}
}

// programs implements nativeDecoder.
func (d *oggDecoder) programs() int { return d.started }

// next implements decoder.
func (d *oggDecoder) next() ([]float32, error) {
	for len(d.queue) == 0 {
		page, err := d.pages.next()
		if err != nil {
			if d.stream == nil && !d.sound && (isEnd(err) || errors.Is(err, errNextFile)) {
				return nil, errs.New(errs.AudioUnreadable, "the Vorbis stream ends before its first sample: send the complete recording")
			}
			return nil, err
		}
		before := d.started
		if err := d.addPage(page); err != nil || d.started > before {
			return nil, err // the reader limits the number of programs
		}
	}
	packets := d.queue[:1]
	if d.vorbis != nil {
		packets = d.queue // each call of the program costs time
	}
	d.queue = d.queue[len(packets):]
	samples, err := d.stream.decode(packets)
	if err != nil {
		return nil, err
	}
	first, n := d.position, int64(len(samples))
	d.sound = d.sound || n > 0
	d.position += n
	if !d.based && len(d.queue) == 0 && d.position > 0 && d.granule >= 0 {
		d.setBase()
	}
	from := min(max(0, d.skip-first), n)
	return samples[from:max(from, min(n, d.end-first))], nil
}

// setBase uses the granule position of the first page with sound. It says where the stream
// begins, which is not 0 if a live stream was joined later. Vorbis that was cut has
// samples before 0, which are not heard.
func (d *oggDecoder) setBase() {
	d.based, d.base = true, d.granule-d.position
	if d.vorbis == nil {
		d.base = max(0, d.base)
	}
	d.skip = max(d.skip, -d.base)
}

// addPage queues the packets of a page.
func (d *oggDecoder) addPage(page *oggPage) error {
	if page.flags&oggFirst != 0 {
		return d.beginStream(page)
	}
	if d.begun && d.tags && d.other != "" {
		return unsupported(d.other).WithCause(errNextFile) // all streams that began here
	}
	if !d.begun || page.serial != d.serial || d.ended {
		return nil
	}
	if err := d.splitPackets(page); err != nil {
		return err
	}
	d.granule = page.granule
	if page.granule >= 0 && page.flags&oggLast != 0 {
		d.ended, d.based = true, true // the base is 0 if this is the first page with sound
		d.end = max(0, page.granule-d.base)
	}
	return nil
}

// beginStream starts decoding a stream if its format is known and no other stream is being
// decoded.
func (d *oggDecoder) beginStream(page *oggPage) error {
	opus, vorbis := hasPrefix(page.body, opusHeadMagic), hasPrefix(page.body, vorbisFirst)
	if !opus && !vorbis {
		if d.other == "" && (!d.begun || d.tags) {
			d.other = oggCodec(page.body)
		}
		return nil
	}
	if d.begun && !d.tags {
		return nil // a multiplexed stream: all of them begin before any of them continues
	}
	d.close()
	d.begun, d.stream, d.vorbis = true, nil, nil
	d.serial, d.tags, d.ended, d.other = page.serial, false, false, ""
	d.packet, d.open, d.lost = nil, false, false
	d.position, d.skip, d.end, d.base, d.based = 0, 0, math.MaxInt64, 0, false
	if vorbis {
		d.vorbis = bytes.Clone(page.body)
		return nil
	}
	head, err := parseOpusHead(page.body)
	if err != nil {
		return err
	}
	d.skip = int64(head.preSkip)
	d.stream, err = newOpusStream(head)
	return err
}

// splitPackets splits a page into packets. A packet that began on an earlier page
// is copied; the others refer to the page's buffer.
func (d *oggDecoder) splitPackets(page *oggPage) error {
	d.queue = d.queue[:0]
	if page.flags&oggContinued == 0 {
		d.packet, d.open, d.lost = nil, false, false // the open packet was not continued
	} else if !d.open {
		d.open, d.lost = true, true // it began on a damaged page
	}
	body, size := page.body, 0
	for _, n := range page.lacing {
		size += int(n)
		if n < 255 {
			if err := d.endPacket(body[:size]); err != nil {
				return err
			}
			body, size = body[size:], 0
		}
	}
	if size == 0 {
		return nil
	}
	d.open = true
	if d.lost = d.lost || len(d.packet)+size > oggMaxPacket; !d.lost {
		d.packet = append(d.packet, body...)
	}
	return nil
}

// endPacket queues a packet that ends on this page; rest is its part on the page.
func (d *oggDecoder) endPacket(rest []byte) (err error) {
	packet, lost := rest, d.lost
	if d.open {
		packet = append(d.packet, rest...)
	}
	d.packet, d.open, d.lost = nil, false, false
	header := !d.tags || d.stream == nil
	d.tags = true
	switch {
	case header && d.vorbis != nil && !lost && hasPrefix(packet, vorbisSetup):
		d.started++
		d.stream, err = newVorbis(d.vorbis, packet)
	case !header && !lost:
		d.queue = append(d.queue, packet)
	}
	return err
}

// oggCodec returns the format of a stream that cannot be decoded, from its first packet.
func oggCodec(b []byte) string {
	for magic, name := range map[string]string{
		"\x7fFLAC": "FLAC in Ogg", "Speex   ": "Speex in Ogg", "\x80theora": "Ogg video",
	} {
		if hasPrefix(b, magic) {
			return name
		}
	}
	return "Ogg without Opus or Vorbis"
}
