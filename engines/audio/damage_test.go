package audio_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"testing"
)

// silent reports whether s is inaudible.
func silent(s []float32) bool {
	for _, v := range s {
		if math.Abs(float64(v)) > 1e-3 {
			return false
		}
	}
	return true
}

// reach is how many samples on either side of a change the resampler's filter
// affects.
const reach = 200

// A damaged FLAC frame becomes silence. All other samples keep value and time.
func TestDamagedFLAC(t *testing.T) {
	data := read(t, "mono-24k-24bit.flac")
	want := decode(t, nil, data)
	copy(data[len(data)/2:], make([]byte, 20))
	got := decode(t, nil, data)
	if len(got) != len(want) {
		t.Fatalf("%d samples, want %d", len(got), len(want))
	}
	var first, last int // sample that differs
	for i := range got {
		if got[i] != want[i] {
			if first == 0 {
				first = i
			}
			last = i
		}
	}
	const block = 4096 * 2 / 3 // flac's default block size, at 16 kHz
	if n := last - first; n < block-2*reach || n > 2*block+2*reach {
		t.Errorf("samples %d to %d differ", first, last)
	}
	if !silent(got[first+2*reach : first+block-2*reach]) {
		t.Error("the damaged frame is not silent")
	}
}

// After damage, MP3 continues at the next frame that can be decoded.
func TestDamagedMP3(t *testing.T) {
	for _, name := range []string{"mono-16k.mp3", "vbr-44k.mp3"} {
		for _, fill := range []byte{0, 0xff, 0x55} {
			data := read(t, name)
			want := decode(t, nil, data)
			copy(data[len(data)/2:], bytes.Repeat([]byte{fill}, 300))
			got := decode(t, nil, data)
			if len(got) < len(want)*3/4 || len(got) > len(want)+reach {
				t.Errorf("%s with %#x: %d samples of %d", name, fill, len(got), len(want))
				continue
			}
			if x := snr(got[:2000], want[:2000]); x < 60 {
				t.Errorf("%s with %#x: the beginning agrees to %.1f dB", name, fill, x)
			}
		}
	}
}

// A damaged Ogg page is skipped: of two chained streams the second remains.
func TestDamagedOgg(t *testing.T) {
	data := read(t, "chained.opus")
	data[len(read(t, "silk.opus"))-100] ^= 1
	got, want := decode(t, nil, data), decode(t, nil, read(t, "celt-stereo.opus"))
	if !equal(got, want) {
		t.Errorf("%d samples, want the %d of the second stream", len(got), len(want))
	}
}

// An Opus packet that cannot be decoded becomes silence, and the samples after it
// keep their time.
func TestDamagedOpus(t *testing.T) {
	data := read(t, "browser-mono.webm")
	want := decode(t, nil, data)
	// 0x7b, 0x83 begins a packet of three frames with their lengths. Without the
	// flag for lengths, a packet is invalid if its size is no multiple of three.
	damaged := 0
	for at := len(data) / 3; at < len(data) && damaged == 0; at++ {
		if data[at] != 0xa3 || data[at+1]&0xc0 != 0x40 || !bytes.Equal(data[at+7:at+9], []byte{0x7b, 0x83}) {
			continue
		}
		size := (int(data[at+1]&0x3f)<<8 | int(data[at+2])) - 4
		if (size-2)%3 != 0 {
			data[at+8] = 3
			damaged = at
		}
	}
	if damaged == 0 {
		t.Fatal("the recording has no such packet")
	}
	got := decode(t, nil, data)
	if len(got) != len(want) {
		t.Fatalf("%d samples, want %d", len(got), len(want))
	}
	const packet = 960 // 60 ms at 16 kHz
	quiet := 0
	for i := 0; i+packet-2*reach < len(got); i += 40 {
		if part := i + packet - 2*reach; silent(got[i:part]) && !silent(want[i:part]) {
			quiet++
		}
	}
	if quiet == 0 {
		t.Error("no packet is silent")
	}
	tail := len(got) - 4000
	if x := snr(got[tail:], want[tail:]); x < 20 {
		t.Errorf("the end agrees to %.1f dB", x)
	}
}

// The output gain of an Opus header is applied (RFC 7845, 5.1).
func TestOpusGain(t *testing.T) {
	data := read(t, "silk.opus")
	want := decode(t, nil, data)
	head := 28 // length of the first page's header
	binary.LittleEndian.PutUint16(data[head+16:], 0x10000-1541)
	page := oggPage(string(data), 2, "\x13", string(data[head:head+19]))
	got := decode(t, nil, append([]byte(page), data[head+19:]...))
	for i := range want {
		want[i] *= 0.5 // -6.02 dB
	}
	if x := snr(got, want); x < 60 {
		t.Errorf("agrees with half the level to %.1f dB", x)
	}
}
