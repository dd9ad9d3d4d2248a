package audio_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/lexilingo/modelgateway/engines/audio"
	"github.com/lexilingo/modelgateway/engines/errs"
)

// A recording whose index comes last cannot be read without it, and says so.
func TestTruncatedBeforeTheIndex(t *testing.T) {
	for _, f := range indexLast {
		data := read(t, f.name)
		for _, n := range []int{20, len(data) / 2, bytes.Index(data, []byte("moov")) + 200} {
			samples, err := audio.ReadAll(context.Background(), nil, data[:n], audio.Limits{})
			if errs.ReasonOf(err) != errs.AudioUnreadable || !strings.Contains(err.Error(), "send the complete file") {
				t.Errorf("%s: the first %d bytes: %d samples, %v", f.name, n, len(samples), err)
			}
		}
	}
}

// Recordings with random changes are read, or refused with a reason.
func TestDamagedMP4(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for _, name := range []string{"mono-48k.m4a", "stereo-44k.mp4", "fragments.mp4", "wide.3gp", "narrow.amr"} {
		original := read(t, name)
		for range 40 {
			data := bytes.Clone(original)
			for range 1 + random.IntN(8) {
				at := random.IntN(len(data))
				if index := bytes.Index(data, []byte("moov")); index > 0 && random.IntN(2) == 0 {
					at = min(len(data)-1, index+random.IntN(600))
				}
				data[at] = byte(random.IntN(256))
			}
			samples, err := audio.ReadAll(context.Background(), nil, data, audio.Limits{})
			var typed *errs.Error
			if err != nil && !errors.As(err, &typed) {
				t.Errorf("%s: %d samples, %v", name, len(samples), err)
			}
		}
	}
}

// box returns a box of MP4.
func box(name string, parts ...[]byte) []byte {
	body := bytes.Join(parts, nil)
	return append(append(binary.BigEndian.AppendUint32(nil, uint32(8+len(body))), name...), body...)
}

// u32 returns numbers of 4 bytes.
func u32(values ...uint32) []byte {
	var b []byte
	for _, v := range values {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	return b
}

// fragmented returns an MP4 file of AMR whose only fragment has these truns: its track
// has samples of a size, and the runs begin where it does.
func fragmented(size uint32, sound []byte, truns ...[]byte) []byte {
	samr := box("samr", make([]byte, 28))
	stbl := box("stbl", box("stsd", u32(0, 1), samr), box("stsz", u32(0, 0, 0)))
	mdia := box("mdia", box("mdhd", u32(0, 0, 0, 8000)), box("hdlr", u32(0, 0), []byte("soun")), box("minf", stbl))
	moov := box("moov", box("trak", box("tkhd", u32(0, 0, 0, 1)), mdia))
	before := append(box("ftyp", []byte("isom\x00\x00\x02\x00")), moov...)
	fragment := func(base int) []byte {
		tfhd := box("tfhd", u32(0x11, 1, 0, uint32(base), size)) //nolint:gosec // small
		return box("moof", box("traf", tfhd, bytes.Join(truns, nil)))
	}
	base := len(before) + len(fragment(0)) + 8
	return bytes.Join([][]byte{before, fragment(base), box("mdat", sound)}, nil)
}

// A run without samples is legal, and costs no time.
func TestEmptyRunsMP4(t *testing.T) {
	const frame = 32 // of AMR at 12.2 kbit/s
	narrow := read(t, "narrow.amr")
	frames := narrow[len("#!AMR\n"):]
	frames = frames[:len(frames)/frame*frame]
	for i := 0; i < len(frames); i += frame {
		if frames[i]>>3&15 != 7 {
			t.Fatalf("the frame at %d has another size", i)
		}
	}
	count := uint32(len(frames) / frame) //nolint:gosec // small
	empty := box("trun", u32(0, 0))
	data := fragmented(frame, frames, empty, empty, box("trun", u32(0, count-3)), empty, box("trun", u32(0, 3)), empty)
	got, want := decode(t, nil, data), decode(t, nil, narrow)
	if len(got) == 0 || !equal(got, want) {
		t.Errorf("%d samples, want the %d of the AMR file", len(got), len(want))
	}
}

// Sizes and counts in a header are not believed.
func TestLyingMP4(t *testing.T) {
	ftyp := box("ftyp", []byte("isom\x00\x00\x02\x00"))
	huge := []byte("\xff\xff\xff\xff")
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"a large index":    {append(ftyp, append(huge, "moov"...)...), "index of the MP4 file has more than 16 MiB"},
		"no index":         {append(ftyp, box("free")...), "send the complete file"},
		"an empty index":   {append(ftyp, box("moov")...), "no track with sound"},
		"a size below 8":   {append(ftyp, 0, 0, 0, 7, 'm', 'o', 'o', 'v'), "damaged"},
		"only a header":    {ftyp, "send the complete file"},
		"sound that lacks": {append(ftyp, append(huge, "mdat"...)...), "send the complete file"},
		"empty runs":       {fragmented(0, nil, bytes.Repeat(box("trun", u32(0, 0)), 1000)), "no sound that can be decoded"},
		"a far chunk":      {farChunk(), "damaged"},
		"a late index":     {append(ftyp, append(append(binary.BigEndian.AppendUint32(nil, 40<<20), "mdat"...), make([]byte, 40<<20)...)...), "+faststart"},
	} {
		_, err := audio.ReadAll(context.Background(), nil, c.data, audio.Limits{})
		if errs.ReasonOf(err) != errs.AudioUnreadable || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if typed := (*errs.Error)(nil); errors.As(err, &typed) && typed.Metadata()["decoder"] == "panicked" {
			t.Errorf("%s: the decoder panicked", name)
		}
	}
}

// farChunk returns a file whose index comes after its sound, and names an offset near
// the largest number.
func farChunk() []byte {
	samr := box("samr", make([]byte, 28))
	stbl := box("stbl", box("stsd", u32(0, 1), samr), box("stsz", u32(0, 64, 1)), box("stsc", u32(0, 1, 1, 1, 1)),
		box("co64", u32(0, 1, math.MaxInt32, math.MaxUint32)))
	mdia := box("mdia", box("mdhd", u32(0, 0, 0, 8000)), box("hdlr", u32(0, 0), []byte("soun")), box("minf", stbl))
	return bytes.Join([][]byte{
		box("ftyp", []byte("isom\x00\x00\x02\x00")), box("mdat", make([]byte, 32)), box("moov", box("trak", box("tkhd", u32(0, 0, 0, 1)), mdia)),
	}, nil)
}

// Formats in MP4 that cannot be decoded are named.
func TestOtherSoundInMP4(t *testing.T) {
	for name, want := range map[string]string{"alac": "Apple Lossless in MP4", "Opus": "Opus in MP4", "enca": "encrypted", "zzzz": "unknown sound"} {
		data := bytes.Replace(read(t, "stereo-44k.mp4"), []byte("mp4a"), []byte(name), 1)
		_, err := audio.ReadAll(context.Background(), nil, data, audio.Limits{})
		if errs.ReasonOf(err) != errs.AudioUnreadable || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
}

// Without decode-speech, the error says so.
func TestWithoutDecoder(t *testing.T) {
	t.Setenv("MG_DECODE_SPEECH", "/none/decode-speech")
	_, err := audio.ReadAll(context.Background(), nil, read(t, "stereo-44k.mp4"), audio.Limits{})
	if errs.ReasonOf(err) != errs.EngineUnavailable || !strings.Contains(err.Error(), "decode-speech is not installed") {
		t.Errorf("%v", err)
	}
}
