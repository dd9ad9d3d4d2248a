package audio_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/lexilingo/modelgateway/engines/audio"
	"github.com/lexilingo/modelgateway/engines/errs"
)

// moveGranules returns a file in Ogg whose granule positions of pages with sound are
// changed.
func moveGranules(data []byte, by int64) []byte {
	data = bytes.Clone(data)
	for at := 0; at < len(data); {
		size := 27 + int(data[at+26])
		for _, n := range data[at+27 : at+size] {
			size += int(n)
		}
		page := data[at : at+size]
		if granule := binary.LittleEndian.Uint64(page[6:]); granule > 0 {
			binary.LittleEndian.PutUint64(page[6:], granule+uint64(by)) //nolint:gosec // two's complement
		}
		body := int(page[26]) + 27
		copy(page, oggPage(string(page), page[5], string(page[27:body]), string(page[body:])))
		at += size
	}
	return data
}

// Streams that have only headers are counted before each of them starts a program.
func TestVorbisHeadersAreCounted(t *testing.T) {
	data := read(t, "vorbis.ogg")
	page := func(at int) int {
		size := 27 + int(data[at+26])
		for _, n := range data[at+27 : at+size] {
			size += int(n)
		}
		return at + size
	}
	headers := data[:page(page(0))]
	_, err := audio.ReadAll(t.Context(), nil, bytes.Repeat(headers, 60), audio.Limits{})
	wantReason(t, err, errs.AudioUnreadable, "more than 20 files of AAC, AMR or Vorbis")
}

// Padding belongs to the block before it, whatever was read with it.
func TestPaddingOfVorbisInWebM(t *testing.T) {
	data := read(t, "vorbis.webm")
	last := bytes.LastIndex(data, []byte("\x1c\x53\xbb\x6b")) // the index at the end
	var block []byte
	for at := last; block == nil; at-- { // the last SimpleBlock ends there
		if data[at] == 0xa3 && data[at+1]&0xc0 == 0x40 && at+3+(int(data[at+1]&0x3f)<<8|int(data[at+2])) == last {
			block = data[at+3 : last]
		} else if data[at] == 0xa3 && data[at+1]&0x80 != 0 && at+2+int(data[at+1]&0x7f) == last {
			block = data[at+2 : last]
		}
	}
	element := func(id byte, body []byte) []byte {
		return append([]byte{id, 0x40 | byte(len(body)>>8), byte(len(body))}, body...)
	}
	padding := []byte{0x75, 0xa2, 0x84, 0x00, 0x98, 0x96, 0x80} // 10 ms
	group := element(0xa0, append(element(0xa1, block), padding...))
	before := data[:bytes.LastIndex(data, block)]
	before = before[:bytes.LastIndexByte(before[:len(before)-1], 0xa3)]
	want := decode(t, nil, data)
	got := decode(t, nil, bytes.Join([][]byte{before, group}, nil))
	if n := len(want) - 160; len(got) != n || !equal(got[:n-reach], want[:n-reach]) {
		t.Errorf("%d samples, want the first %d", len(got), n)
	}
}

// The granule positions of Vorbis say where the sound begins and ends: some was cut off at
// the beginning, or a live stream was joined later.
func TestGranulesOfVorbis(t *testing.T) {
	data := read(t, "vorbis.ogg")
	want := decode(t, nil, data)
	const cut = 2205 // samples at 44.1 kHz: 800 at 16 kHz
	got := decode(t, nil, moveGranules(data, -cut))
	if len(got) != len(want)-800 {
		t.Fatalf("after a cut: %d samples, want %d", len(got), len(want)-800)
	}
	if x := snr(got[reach:], want[800+reach:]); x < 60 {
		t.Errorf("after a cut, the sound agrees to %.1f dB", x)
	}
	if got := decode(t, nil, moveGranules(data, 1<<40)); !equal(got, want) {
		t.Errorf("of a stream that was joined later: %d samples, want %d", len(got), len(want))
	}
}
