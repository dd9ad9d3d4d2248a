package audio

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
)

// Flags of an Ogg page.
const (
	oggContinued = 1 // the page begins inside a packet
	oggFirst     = 2 // the first page of a logical stream
	oggLast      = 4 // the last page of a logical stream
)

const oggHeaderBytes = 27

// oggPage is a page of RFC 3533. It is valid until the next one is read.
type oggPage struct {
	flags   byte
	granule int64 // position after the page's last packet; -1 if none ends in it
	serial  uint32
	lacing  []byte
	body    []byte
}

// oggPages reads the pages of an Ogg file into one buffer.
//
// pion's oggreader could replace it if it returned the serial number and the
// flags of a page, which chained and multiplexed streams and the trimming of the
// last page need, and limited the length of a packet.
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

// next returns the next intact page and skips damaged ones. Of a truncated page
// it returns the complete packets.
func (p *oggPages) next() (*oggPage, error) {
	for {
		if err := p.seekPage(); err != nil {
			return nil, err
		}
		b := p.buf[:oggHeaderBytes]
		if err := p.readFull(b); err != nil {
			return nil, err
		}
		segments := int(b[26])
		lacing := p.buf[oggHeaderBytes : oggHeaderBytes+segments]
		if err := p.readFull(lacing); err != nil {
			return nil, err
		}
		size := 0
		for _, n := range lacing {
			size += int(n)
		}
		body := p.buf[oggHeaderBytes+segments : oggHeaderBytes+segments+size]
		if n, err := io.ReadFull(p.r, body); errors.Is(err, io.ErrUnexpectedEOF) {
			return p.truncated(lacing, body[:n])
		} else if err != nil {
			return nil, err
		}
		if !p.checksumOK(p.buf[:oggHeaderBytes+segments+size]) {
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

// truncated returns a page with the complete packets of a truncated one; io.EOF
// if there are none.
func (p *oggPages) truncated(lacing, body []byte) (*oggPage, error) {
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

// seekPage skips to the next capture pattern. It returns errNextFile if another
// file begins before it.
func (p *oggPages) seekPage() error {
	for {
		magic, err := p.r.Peek(4)
		if err != nil {
			return err
		}
		if string(magic) == "OggS" {
			return nil
		}
		if found, err := nextFile(p.r); err != nil {
			return err
		} else if found {
			return errNextFile
		}
		if _, err := p.r.Discard(1); err != nil {
			return err
		}
	}
}

func (p *oggPages) readFull(b []byte) error {
	_, err := io.ReadFull(p.r, b)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return io.EOF
	}
	return err
}

// checksumOK reports whether the page's checksum is correct.
func (p *oggPages) checksumOK(page []byte) bool {
	want := binary.LittleEndian.Uint32(page[22:])
	clear(page[22:26])
	var sum uint32
	for _, b := range page {
		sum = sum<<8 ^ p.table[byte(sum>>24)^b]
	}
	return sum == want
}
