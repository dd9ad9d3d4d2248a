package codecs

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/lexilingo/modelgateway/engines/decode"
)

// vorbisPackets returns the packets of a file of Vorbis in Ogg.
func vorbisPackets(t testing.TB) [][]byte {
	t.Helper()
	data, err := os.ReadFile("../../audio/testdata/vorbis.ogg")
	if err != nil {
		t.Fatal(err)
	}
	var packets [][]byte
	var open []byte
	for len(data) > 0 {
		lacing := data[27 : 27+int(data[26])]
		data = data[27+len(lacing):]
		for _, n := range lacing {
			open, data = append(open, data[:n]...), data[n:]
			if n < 255 {
				packets, open = append(packets, open), nil
			}
		}
	}
	return packets
}

// bitWriter writes the bits of headers.
type bitWriter struct {
	data []byte
	n    int
}

func (w *bitWriter) write(v uint32, n int) *bitWriter {
	for i := range n {
		if w.n%8 == 0 {
			w.data = append(w.data, 0)
		}
		w.data[w.n/8] |= byte(v>>i&1) << (w.n % 8)
		w.n++
	}
	return w
}

// setupOf returns a header with tables that begin so.
func setupOf(dimensions, entries uint32, more func(*bitWriter)) []byte {
	w := &bitWriter{}
	w.write(0, 8).write(0x564342, 24).write(dimensions, 16).write(entries, 24)
	more(w)
	return append([]byte("\x05vorbis"), w.data...)
}

// The sizes in headers of Vorbis are not believed: nothing is allocated for them, and no
// table lets the decoder search without end.
func TestHostileVorbis(t *testing.T) {
	packets := vorbisPackets(t)
	first, setup := packets[0], packets[2]
	changed := func(at int, b byte) []byte {
		c := bytes.Clone(first)
		c[at] = b
		return c
	}
	fast := bytes.Clone(first)
	binary.LittleEndian.PutUint32(fast[12:], 1<<30)
	ordered := func(w *bitWriter) { w.write(1, 1).write(20, 5).write(1<<24-1, 24) }
	for name, c := range map[string]struct {
		first, setup []byte
		want         error
	}{
		"16 million entries":    {first, setupOf(1, 1<<24-1, ordered), errVorbisHeaders},
		"4 billion values":      {first, setupOf(1<<16-1, 1<<16, func(w *bitWriter) { w.write(1, 1).write(15, 5).write(1<<16, 17).write(2, 4) }), errVorbisHeaders},
		"no entries":            {first, setupOf(1, 0, func(*bitWriter) {}), errVorbisHeaders},
		"no dimensions":         {first, setupOf(0, 2, func(w *bitWriter) { w.write(0, 2+2*5+4) }), errVorbisHeaders},
		"no entry that is used": {first, setupOf(1, 64, func(w *bitWriter) { w.write(2, 2); w.write(0, 32); w.write(0, 32); w.write(0, 4) }), errVorbisHeaders},
		"lengths without end":   {first, setupOf(1, 64, func(w *bitWriter) { w.write(1, 1).write(0, 5) }), errVorbisHeaders},
		"cut":                   {first, setup[:len(setup)/3], errVorbisHeaders},
		"empty":                 {first, nil, errVorbisHeaders},
		"the other way round":   {setup, first, errVorbisHeaders},
		"255 channels":          {changed(11, 255), setup, errVorbisFormat},
		"a gigahertz":           {fast, setup, errVorbisFormat},
		"8 channels of 8192":    {func() []byte { c := changed(11, 8); c[28] = 0xd6; return c }(), setup, errVorbisFormat},
		"a block of one sample": {changed(28, 0x10), setup, errVorbisHeaders},
		"blocks in wrong order": {changed(28, 0x8b), setup, errVorbisHeaders},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := New(decode.Vorbis, decode.Packets([][]byte{c.first, c.setup}))
		runtime.ReadMemStats(&after)
		if err != c.want {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if got := after.TotalAlloc - before.TotalAlloc; got > 1<<20 {
			t.Errorf("%s: %d bytes were allocated", name, got)
		}
	}
}

// Damaged streams are refused, or decoded soon.
func TestDamagedVorbis(t *testing.T) {
	packets := vorbisPackets(t)
	random := rand.New(rand.NewPCG(7, 8))
	opened := 0
	for range 1000 {
		first, setup, packet := bytes.Clone(packets[0]), bytes.Clone(packets[2]), bytes.Clone(packets[3+random.IntN(10)])
		for range 1 + random.IntN(6) {
			switch random.IntN(3) {
			case 0:
				first[7+random.IntN(len(first)-7)] = byte(random.IntN(256))
			case 1:
				setup[7+random.IntN(len(setup)-7)] ^= byte(1 << random.IntN(8))
			case 2:
				packet[random.IntN(len(packet))] = byte(random.IntN(256))
			}
		}
		if decodeVorbis(t, first, setup, packet) {
			opened++
		}
	}
	if opened < 100 {
		t.Errorf("only %d of the streams could be opened", opened)
	}
}

// decodeVorbis decodes a packet of a stream a few times, and reports whether the stream
// could be opened.
func decodeVorbis(t *testing.T, first, setup, packet []byte) bool {
	t.Helper()
	hung := time.AfterFunc(2*time.Minute, func() { panic("the decoder does not return") })
	defer hung.Stop()
	d, err := New(decode.Vorbis, decode.Packets([][]byte{first, setup}))
	if err != nil {
		return false
	}
	defer d.Close()
	for range 3 {
		sound, ok := d.Decode(packet)
		if n := len(sound.Samples); n > decode.MaxSamples || !ok && n > 0 || n > 0 && n%sound.Channels != 0 {
			t.Errorf("%d samples, %v", n, ok)
		}
	}
	return true
}

// FuzzVorbis decodes damaged streams. Each packet must be decoded soon, whatever the
// headers say.
func FuzzVorbis(f *testing.F) {
	packets := vorbisPackets(f)
	for _, p := range packets[3:9] {
		f.Add(packets[0], packets[2], p)
	}
	f.Add(packets[0], setupOf(1, 64, func(w *bitWriter) { w.write(0, 2).write(0, 32) }), packets[3])
	f.Fuzz(func(t *testing.T, first, setup, packet []byte) {
		decodeVorbis(t, first, setup, packet)
	})
}
