package audio

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"strings"

	"github.com/lexilingo/modelgateway/engines/errs"
)

// Flags of an Ogg page.
const (
	oggContinued = 1 // begins inside a packet
	oggFirst     = 2 // of a logical stream
	oggLast      = 4
)

const oggHeaderBytes = 27

// oggPage is a page of RFC 3533, valid until the next is read.
type oggPage struct {
	flags   byte
	granule int64 // position after the page's last packet; -1 if none ends in it
	serial  uint32
	lacing  []byte
	body    []byte
}

// oggPages reads the pages of an Ogg file into one buffer. It is ours because
// pion's oggreader gives neither serial numbers nor flags, without which
// chained and multiplexed streams and the last page's trimming cannot be told,
// and keeps a packet however long it pretends to be.
type oggPages struct {
	r     *bufio.Reader
	table [256]uint32
	page  oggPage
	buf   [oggHeaderBytes + 255 + 255*255]byte
}

func newOggPages(r *bufio.Reader) *oggPages {
	p := &oggPages{r: r}
	for i := range p.table { // CRC-32 with polynomial 0x04c11db7, not reflected
		c := uint32(i) << 24
		for range 8 {
			c = c<<1 ^ c>>31*0x04c11db7
		}
		p.table[i] = c
	}
	return p
}

// next returns the next sound page; damaged ones are passed over. Of a page
// that is cut off, the packets that are there are returned.
func (p *oggPages) next() (*oggPage, error) {
	for {
		if err := p.align(); err != nil {
			return nil, err
		}
		b := p.buf[:oggHeaderBytes]
		if err := p.fill(b); err != nil {
			return nil, err
		}
		segments := int(b[26])
		lacing := p.buf[oggHeaderBytes : oggHeaderBytes+segments]
		if err := p.fill(lacing); err != nil {
			return nil, err
		}
		size := 0
		for _, n := range lacing {
			size += int(n)
		}
		body := p.buf[oggHeaderBytes+segments : oggHeaderBytes+segments+size]
		if n, err := io.ReadFull(p.r, body); errors.Is(err, io.ErrUnexpectedEOF) {
			return p.cut(lacing, body[:n])
		} else if err != nil {
			return nil, err
		}
		if !p.sound(p.buf[:oggHeaderBytes+segments+size]) {
			continue
		}
		p.page = oggPage{
			flags:   b[5],
			granule: int64(binary.LittleEndian.Uint64(b[6:])),
			serial:  binary.LittleEndian.Uint32(b[14:]),
			lacing:  lacing,
			body:    body,
		}
		return &p.page, nil
	}
}

// cut makes a page of what arrived of the last one; io.EOF if that is nothing.
func (p *oggPages) cut(lacing, body []byte) (*oggPage, error) {
	size, whole := 0, 0
	for whole < len(lacing) && size+int(lacing[whole]) <= len(body) {
		size += int(lacing[whole])
		whole++
	}
	if whole == 0 {
		return nil, io.EOF
	}
	p.page = oggPage{
		flags:   p.buf[5] &^ oggLast,
		granule: -1,
		serial:  binary.LittleEndian.Uint32(p.buf[14:]),
		lacing:  lacing[:whole],
		body:    body[:size],
	}
	return &p.page, nil
}

// align moves to the next capture pattern.
func (p *oggPages) align() error {
	for {
		magic, err := p.r.Peek(4)
		if err != nil {
			return err
		}
		if string(magic) == "OggS" {
			return nil
		}
		if _, err := p.r.Discard(1); err != nil {
			return err
		}
	}
}

func (p *oggPages) fill(b []byte) error {
	_, err := io.ReadFull(p.r, b)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return io.EOF
	}
	return err
}

// sound tells whether a page has the checksum that it says.
func (p *oggPages) sound(page []byte) bool {
	want := binary.LittleEndian.Uint32(page[22:])
	clear(page[22:26])
	var sum uint32
	for _, b := range page {
		sum = sum<<8 ^ p.table[byte(sum>>24)^b]
	}
	return sum == want
}

// oggDecoder decodes Opus in Ogg (RFC 7845). Of several streams at once it
// takes the first of Opus; streams one after the other (chained) make one
// recording.
type oggDecoder struct {
	pages  *oggPages
	stream *opusStream
	serial uint32
	tags   bool // the comment header has passed
	ended  bool // the stream's last page has come
	other  string

	open    bool     // a packet goes on on the next page
	packet  []byte   // its bytes so far
	lost    bool     // it is too long to be one, or lacks its start
	queue   [][]byte // complete packets of the current page, mostly in its buffer
	decoded int64    // samples decoded in this stream
	end     int64    // samples that this stream has; MaxInt64 until its last page
	base    int64    // granule position of its first sample; -1 until known
}

func newOgg(r *bufio.Reader) (*oggDecoder, error) {
	d := &oggDecoder{pages: newOggPages(r)}
	for d.stream == nil {
		page, err := d.pages.next()
		if errors.Is(err, io.EOF) {
			if d.other == "" {
				d.other = "an Ogg file that is cut short or damaged"
			}
			return nil, errs.New(errs.AudioUnreadable, "the audio is %s, which cannot be read: %s", d.other, readable)
		}
		if err != nil {
			return nil, err
		}
		if page.flags&oggFirst == 0 && d.other != "" {
			return nil, errs.New(errs.AudioUnreadable, "the audio is %s, which cannot be read: %s", d.other, readable)
		}
		if err := d.take(page); err != nil {
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
		if err := d.take(page); err != nil {
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

// take files a page's packets.
func (d *oggDecoder) take(page *oggPage) error {
	if page.flags&oggFirst != 0 {
		return d.begin(page)
	}
	if d.stream == nil || page.serial != d.serial || d.ended {
		return nil
	}
	d.split(page)
	d.place(page)
	return nil
}

// begin starts a stream, if it is one of Opus and its turn.
func (d *oggDecoder) begin(page *oggPage) error {
	if !strings.HasPrefix(string(page.body[:min(len(page.body), 8)]), opusHeadMagic) {
		if d.other == "" {
			d.other = oggCodec(page.body)
		}
		return nil
	}
	if d.stream != nil && !d.tags {
		return nil // one beside it: all streams of a group begin before the first goes on
	}
	head, err := parseOpusHead(page.body)
	if err != nil {
		return err
	}
	if d.stream, err = newOpusStream(head); err != nil {
		return err
	}
	d.serial, d.tags, d.ended = page.serial, false, false
	d.packet, d.open, d.lost = nil, false, false
	d.decoded, d.end, d.base = 0, math.MaxInt64, -1
	return nil
}

// split cuts a page into packets. One that began on an earlier page was copied;
// the others lie in the page's buffer.
func (d *oggDecoder) split(page *oggPage) {
	d.queue = d.queue[:0]
	if page.flags&oggContinued == 0 {
		d.packet, d.open, d.lost = nil, false, false // what was open never ended
	} else if !d.open {
		d.open, d.lost = true, true // it began on a page that was damaged
	}
	body, size := page.body, 0
	for _, n := range page.lacing {
		size += int(n)
		if n < 255 {
			d.complete(body[:size])
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

// complete files a packet, of which rest is the part on this page.
func (d *oggDecoder) complete(rest []byte) {
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

// place uses the page's position: the first tells where the stream begins, if
// it was joined while live, and the last where it ends within its packets.
func (d *oggDecoder) place(page *oggPage) {
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

// oggCodec names what a stream that is not Opus holds, by its first packet.
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
