package layer3_test

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/lexilingo/modelgateway/engines/audio/layer3"
)

// file returns a file of the fixtures of package audio, which compares what is decoded
// with a reference decoder.
func file(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// A frame that needs data of a missing one is silent, and does not shift those after it.
func TestMissingFramesAreSilent(t *testing.T) {
	data := file(t, "mpeg25-8k.mp3")
	const size = 72 * 16000 / 8000 // of each frame
	var out [2][layer3.MaxSamples]float32
	var whole, part layer3.Decoder
	silent := 0
	for at := 0; at+size <= len(data); at += size {
		if _, err := whole.Decode(data[at:at+size], &out); err != nil {
			t.Fatal(err)
		}
		want := out[0]
		if at == 3*size { // is missing
			continue
		}
		samples, err := part.Decode(data[at:at+size], &out)
		if err != nil || samples != 576 {
			t.Fatalf("frame at %d: %d samples, %v", at, samples, err)
		}
		if at > 3*size && out[0] == [layer3.MaxSamples]float32{} {
			silent++
		}
		if at > 7*size {
			for i := range samples {
				if d := out[0][i] - want[i]; d > 1e-4 || d < -1e-4 {
					t.Fatalf("frame at %d: sample %d is %v, want %v", at, i, out[0][i], want[i])
				}
			}
		}
	}
	if silent > 4 {
		t.Errorf("%d frames after the missing one are silent", silent)
	}
}

func TestDamagedFrames(t *testing.T) {
	frame := file(t, "mpeg25-8k.mp3")[:144]
	for name, data := range map[string][]byte{
		"empty":        nil,
		"a header":     frame[:4],
		"layer II":     {0xff, 0xf5, 0x40, 0xc0, 0, 0},
		"no sync":      make([]byte, 144),
		"no side info": frame[:8],
	} {
		var out [2][layer3.MaxSamples]float32
		if _, err := (&layer3.Decoder{}).Decode(data, &out); !errors.Is(err, layer3.ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Whatever a frame contains, it is decoded or an error, with samples between -1 and 1.
func FuzzDecode(f *testing.F) {
	for _, name := range []string{"mpeg25-8k.mp3", "mpeg25-11k.mp3", "mono-16k.mp3", "vbr-44k.mp3"} {
		data := file(f, name)
		f.Add(data[:min(len(data), 2000)])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var d layer3.Decoder
		var out [2][layer3.MaxSamples]float32
		for at := 0; at+4 <= len(data); at += 400 {
			frame := append([]byte(nil), data[at:min(len(data), at+1441)]...)
			// Each part is a frame of some version, rate and mode.
			binary.BigEndian.PutUint32(frame, binary.BigEndian.Uint32(frame)|0xffe20000)
			samples, err := d.Decode(frame, &out)
			if err != nil {
				continue
			}
			for c := range out {
				for _, x := range out[c][:samples] {
					if !(x >= -1 && x <= 1) {
						t.Fatalf("a sample is %v", x)
					}
				}
			}
		}
	})
}
