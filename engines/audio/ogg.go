package audio

import (
	"bufio"
	"errors"
	"io"
	"math"
	"strings"

	"github.com/lexilingo/modelgateway/engines/errs"
)

// oggDecoder decodes Opus in Ogg (RFC 7845). Of multiplexed streams it decodes
// the first Opus stream; chained streams, one after the other, are one recording.
type oggDecoder struct {
	pages  *oggPages
	stream *opusStream
	serial uint32
	tags   bool   // the comment header has been read
	ended  bool   // the stream's last page has been read
	other  string // the format of the first stream that is not Opus, of those that begin here

	open    bool     // the last packet continues on the next page
	packet  []byte   // the open packet's bytes so far
	lost    bool     // the open packet is too long or has no beginning: it is dropped
	queue   [][]byte // complete packets of the current page, mostly in its buffer
	decoded int64    // samples decoded in this stream
	end     int64    // number of samples of this stream; MaxInt64 until its last page
	base    int64    // granule position of its first sample; -1 until known
}

func newOgg(r *bufio.Reader) (*oggDecoder, error) {
	d := &oggDecoder{pages: newOggPages(r)}
	for d.stream == nil {
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
	return Info{Encoding: oggOpus, SampleRate: opusRate, Channels: d.stream.head.channels}
}

// next implements decoder.
func (d *oggDecoder) next() ([]float32, error) {
	for len(d.queue) == 0 {
		page, err := d.pages.next()
		if err != nil {
			return nil, err
		}
		if err := d.addPage(page); err != nil {
			return nil, err
		}
	}
	packet := d.queue[0]
	d.queue = d.queue[1:]
	samples := int64(opusPacketSamples(packet))
	keep := max(0, min(samples, d.end-d.decoded))
	d.decoded += samples
	return d.stream.decode(packet, int(keep))
}

// addPage queues the packets of a page.
func (d *oggDecoder) addPage(page *oggPage) error {
	if page.flags&oggFirst != 0 {
		return d.beginStream(page)
	}
	if d.stream != nil && d.tags && d.other != "" {
		return unsupported(d.other).WithCause(errNextFile) // all streams that began here
	}
	if d.stream == nil || page.serial != d.serial || d.ended {
		return nil
	}
	d.splitPackets(page)
	d.applyGranule(page)
	return nil
}

// beginStream starts decoding a stream if it is Opus and no other stream is being
// decoded.
func (d *oggDecoder) beginStream(page *oggPage) error {
	if !strings.HasPrefix(string(page.body[:min(len(page.body), 8)]), opusHeadMagic) {
		if d.other == "" && (d.stream == nil || d.tags) {
			d.other = oggCodec(page.body)
		}
		return nil
	}
	if d.stream != nil && !d.tags {
		return nil // a multiplexed stream: all of them begin before any of them continues
	}
	head, err := parseOpusHead(page.body)
	if err != nil {
		return err
	}
	if d.stream, err = newOpusStream(head); err != nil {
		return err
	}
	d.serial, d.tags, d.ended, d.other = page.serial, false, false, ""
	d.packet, d.open, d.lost = nil, false, false
	d.decoded, d.end, d.base = 0, math.MaxInt64, -1
	return nil
}

// splitPackets splits a page into packets. A packet that began on an earlier page
// is copied; the others refer to the page's buffer.
func (d *oggDecoder) splitPackets(page *oggPage) {
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
			d.endPacket(body[:size])
			body, size = body[size:], 0
		}
	}
	if size == 0 {
		return
	}
	d.open = true
	if d.lost = d.lost || len(d.packet)+size > opusMaxBytes; !d.lost {
		d.packet = append(d.packet, body...)
	}
}

// endPacket queues a packet that ends on this page; rest is its part on the page.
func (d *oggDecoder) endPacket(rest []byte) {
	packet, lost := rest, d.lost
	if d.open {
		packet = append(d.packet, rest...)
	}
	d.packet, d.open, d.lost = nil, false, false
	if !d.tags {
		d.tags = true
		return
	}
	if !lost {
		d.queue = append(d.queue, packet)
	}
}

// applyGranule uses the page's granule position. The first one says where the
// stream begins, which is not 0 if a live stream was joined later; that of the
// last page says how many samples of the last packet are valid.
func (d *oggDecoder) applyGranule(page *oggPage) {
	if page.granule < 0 {
		return
	}
	samples := int64(0)
	for _, p := range d.queue {
		samples += int64(opusPacketSamples(p))
	}
	last := page.flags&oggLast != 0
	if d.base < 0 && samples > 0 {
		d.base = 0
		if !last {
			d.base = max(0, page.granule-samples)
		}
	}
	if last {
		d.ended = true
		d.end = max(0, page.granule-max(0, d.base))
	}
}

// oggCodec returns the format of a stream that is not Opus, from its first packet.
func oggCodec(b []byte) string {
	for magic, name := range map[string]string{
		"\x01vorbis": "Ogg Vorbis", "\x7fFLAC": "FLAC in Ogg", "Speex   ": "Speex in Ogg", "\x80theora": "Ogg video",
	} {
		if strings.HasPrefix(string(b[:min(len(b), 8)]), magic) {
			return name
		}
	}
	return "Ogg without Opus"
}
