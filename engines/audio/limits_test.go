package audio_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/lexilingo/modelgateway/engines/audio"
	"github.com/lexilingo/modelgateway/engines/errs"
)

func wantReason(t *testing.T, err error, reason errs.Reason, part string) {
	t.Helper()
	var e *errs.Error
	if !errors.As(err, &e) || e.Reason() != reason || !strings.Contains(e.Message(), part) {
		t.Errorf("error %v, want %v with %q", err, reason, part)
	}
}

func TestLimits(t *testing.T) {
	second := make([]byte, 2*audio.SampleRate)
	t.Run("duration", func(t *testing.T) {
		r := audio.NewReader(rawInt(16000, 1), &pieces{data: second, size: fixed(777)}, audio.Limits{MaxDuration: 250 * time.Millisecond})
		got, err := drainAny(r)
		wantReason(t, err, errs.InvalidRequest, "longer than the limit of 250ms: send a shorter clip")
		if len(got) != audio.SampleRate/4 {
			t.Errorf("%d samples before the error", len(got))
		}
		if _, again := r.Read(make([]float32, 1)); again != err {
			t.Errorf("then %v", again)
		}
	})
	t.Run("duration reached exactly", func(t *testing.T) {
		got, err := audio.ReadAll(context.Background(), rawInt(16000, 1), second, audio.Limits{MaxDuration: time.Second})
		if err != nil || len(got) != audio.SampleRate {
			t.Errorf("%d samples, %v", len(got), err)
		}
	})
	t.Run("bytes", func(t *testing.T) {
		r := audio.NewReader(rawInt(16000, 1), &pieces{data: second, size: fixed(1000)}, audio.Limits{MaxBytes: 3500})
		got, err := drainAny(r)
		wantReason(t, err, errs.InvalidRequest, "larger than the limit of 3.4 KiB: send a smaller file")
		if len(got) != 1500 {
			t.Errorf("%d samples before the error", len(got))
		}
	})
}

// allocated runs f and returns how many bytes it allocated.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// A code of G.711 becomes two bytes, and needs no more memory for that.
func TestExpandG711(t *testing.T) {
	for _, c := range []struct {
		isALaw bool
		want   string
	}{{false, "\x84\x82\x7c\x7d\x00\x00"}, {true, "\x80\xea\x80\x15\x50\x03"}} {
		if got := audio.ExpandG711([]byte("\x00\x80\xff"), c.isALaw); string(got) != c.want {
			t.Errorf("A-law %v: %x, want %x", c.isALaw, got, c.want)
		}
	}
	codes := make([]byte, 1<<20)
	if n := allocated(func() { audio.ExpandG711(codes, false) }); n > 3<<20 {
		t.Errorf("%d bytes of memory for %d codes", n, len(codes))
	}
}

// Wrong sizes in headers allocate nothing.
func TestWrongSizesAllocateNothing(t *testing.T) {
	le32 := func(v uint32) string { return string(binary.LittleEndian.AppendUint32(nil, v)) }
	format := "fmt " + le32(16) + "\x01\x00\x01\x00" + le32(16000) + le32(32000) + "\x02\x00\x10\x00"
	flac := string(read(t, "stereo-44k.flac")[:42])
	opus := string(read(t, "silk.opus"))
	webm := string(read(t, "browser-mono.webm"))
	cluster := strings.Index(webm, "\x1f\x43\xb6\x75")
	for name, data := range map[string]string{
		"WAV chunk of 4 GB":           "RIFF" + le32(36) + "WAVE" + "junk" + le32(0xfffffff0) + "x",
		"WAV format of 4 GB":          "RIFF" + le32(36) + "WAVE" + "fmt " + le32(0xfffffff0) + format[8:],
		"WAV samples of 4 GB":         "RIFF" + le32(36) + "WAVE" + format + "data" + le32(0xfffffff0) + "abcd",
		"RF64 of 8 EB":                "RF64" + le32(36) + "WAVE" + "ds64" + le32(16) + "\xff\xff\xff\xff\xff\xff\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x7f" + format + "data\xff\xff\xff\xffabcd",
		"ID3 tag of 256 MB":           "ID3\x04\x00\x00\x7f\x7f\x7f\x7f" + "x",
		"ID3 tags one in another":     strings.Repeat("ID3\x04\x00\x00\x00\x00\x00\x00", 1000) + "x",
		"FLAC picture first":          "fLaC\x06\xff\xff\xff" + flac[8:],
		"FLAC tag of 16 MB":           flac[:4] + "\x00" + flac[5:] + "\x84\xff\xff\xff",
		"FLAC block of 65536":         flac[:4] + "\x80" + flac[5:] + "\xff\xf8\x79\x18\x00\xff\xff\x00\x00\x00",
		"Ogg pages of nothing":        strings.Repeat(opus[:27], 100),
		"Ogg packet that never ends":  opus + strings.Repeat(oggPage(opus, 1, strings.Repeat("\xff", 255), strings.Repeat("x", 255*255)), 40),
		"Opus tags that never end":    opus[:47] + strings.Repeat(oggPage(opus, 1, strings.Repeat("\xff", 255), strings.Repeat("x", 255*255)), 40),
		"EBML element of 2^56 bytes":  "\x1a\x45\xdf\xa3\x84\x42\x82\x81x\x01\xff\xff\xff\xff\xff\xff\xfe",
		"EBML doc type of 2^56 bytes": "\x1a\x45\xdf\xa3\x84\x42\x82\x01\xff\xff\xff\xff\xff\xff\xfe",
		"WebM block of 2^56 bytes":    webm[:cluster] + "\x1f\x43\xb6\x75\x01\xff\xff\xff\xff\xff\xff\xff\xa3\x01\xff\xff\xff\xff\xff\xff\xfe\x81",
		"WebM laced blocks too large": webm[:cluster] + "\x1f\x43\xb6\x75\xff" + strings.Repeat("\xa3\x90\x81\x00\x00\x06\xff\x7f\xfe\xff\xff\xff\xff\xff\xff\xff\xff\xff", 20),
		"WebM tracks that never end":  webm[:4] + "\xff" + strings.Repeat("\xae\xff", 1000),
		"WebM codec data of 64 KB":    webm[:4] + "\xff\xae\xff" + strings.Repeat("\x63\xa2\x21\x00\x00", 5),
		"MP3 frames too large":        strings.Repeat("\xff\xfb\xe0\xff\xff\xff\xff\xff", 50),
		"MP3 info with wrong counts":  "\xff\xfb\x50\xc4" + strings.Repeat("\x00", 32) + "Xing\x00\x00\x00\x0f\xff\xff\xff\xff" + strings.Repeat("\xff", 400),
		"zeros":                       strings.Repeat("\x00", 10000),
		"text":                        strings.Repeat("speech ", 1000),
	} {
		t.Run(name, func(t *testing.T) {
			var err error
			cost := allocated(func() { _, err = audio.ReadAll(context.Background(), nil, []byte(data), audio.Limits{}) })
			// The decoders' own buffers and the resampler's table are below 2 MiB.
			if limit := uint64(4<<20 + 8*len(data)); cost > limit {
				t.Errorf("allocated %d bytes, want at most %d", cost, limit)
			}
			var typed *errs.Error
			if err != nil && !errors.As(err, &typed) {
				t.Errorf("error without a reason: %v", err)
			}
		})
	}
}

// oggPage returns a page of the stream whose first page is like.
func oggPage(like string, flags byte, lacing, body string) string {
	b := []byte(like[:26])
	b[5] = flags
	clear(b[22:26])
	b = append(append(append(b, byte(len(lacing))), lacing...), body...)
	var sum uint32
	for _, c := range b {
		sum ^= uint32(c) << 24
		for range 8 {
			sum = sum<<1 ^ sum>>31*0x04c11db7
		}
	}
	binary.LittleEndian.PutUint32(b[22:], sum)
	return string(b)
}

// A few kilobytes of FLAC can decode to hours of silence. The limit ends the
// stream, and little memory is used.
func TestDecompressionBomb(t *testing.T) {
	data := []byte(flacHeader + strings.Repeat(flacSilence(), 2000)) // 28 KB: 2 h 16 min
	limits := audio.Limits{MaxDuration: 4 * time.Minute}
	r := audio.NewReader(nil, &pieces{data: data, size: fixed(1000)}, limits)
	buf := make([]float32, 4096)
	total := 0
	var err error
	cost := allocated(func() {
		for err == nil {
			var n int
			n, err = r.Read(buf)
			total += n
		}
	})
	wantReason(t, err, errs.InvalidRequest, "longer than the limit of 4m0s")
	if total != 4*60*audio.SampleRate {
		t.Errorf("%d samples", total)
	}
	if cost > 8<<20 {
		t.Errorf("allocated %d bytes", cost)
	}
}

// A stream without a limit of its duration ends when it has far more sound than
// its bytes can hold, in every format that can have that.
func TestSoundWithoutBytes(t *testing.T) {
	flac := func(frames int) string { return flacHeader + strings.Repeat(flacSilence(), frames) }
	opus := string(read(t, "silk.opus"))
	head := opus[:1+strings.Index(opus[1:], "OggS")]
	head = opus[:len(head)+1+strings.Index(opus[len(head)+1:], "OggS")] // with the tags
	// Each packet is 0.12 s of which nothing was sent.
	silence := oggPage(opus, 0, strings.Repeat("\x01", 255), strings.Repeat("\x59", 255))
	for name, data := range map[string]string{
		"FLAC of 20 kB, 1.6 hours":  flac(1400),
		"FLAC of 1 MB, 82 hours":    flac(72_000),
		"Opus of 54 kB, 51 minutes": head + strings.Repeat(silence, 100),
	} {
		r := audio.NewReader(nil, &pieces{data: []byte(data), size: fixed(1000)}, audio.Limits{})
		buf := make([]float32, 4096)
		total, err := 0, error(nil)
		for err == nil {
			var n int
			n, err = r.Read(buf)
			total += n
		}
		wantReason(t, err, errs.InvalidRequest, "nearly all silence")
		const free = 300
		if seconds := total / audio.SampleRate; seconds < free || seconds > free+len(data)/128 {
			t.Errorf("%s: %d s of sound from %d bytes", name, seconds, len(data))
		}
	}
}

// Silence of minutes is no fault, and bytes of sound pay for more.
func TestSilenceInARecording(t *testing.T) {
	sound := flacFrame("\x02" + strings.Repeat("\x12\x34", 65536)) // verbatim samples
	for name, data := range map[string]string{
		"4 minutes of silence":                flacHeader + strings.Repeat(flacSilence(), 60),
		"an hour of silence after 20 s sound": flacHeader + strings.Repeat(sound, 5) + strings.Repeat(flacSilence(), 880),
	} {
		got, err := drainAny(audio.NewReader(nil, &pieces{data: []byte(data), size: fixed(1000)}, audio.Limits{}))
		if err != nil {
			t.Errorf("%s: %v after %d s", name, err, len(got)/audio.SampleRate)
		}
	}
}

// flacHeader begins a file of 16 kHz mono 16-bit.
const flacHeader = "fLaC\x80\x00\x00\x22\xff\xff\xff\xff\x00\x00\x00\x00\x00\x00\x03\xe8\x00\xf0\x00\x00\x00\x00" +
	"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"

// flacSilence returns a frame of 65,536 samples of silence.
func flacSilence() string { return flacFrame("\x00\x00\x00") } // a constant subframe of 0

// flacFrame returns a frame of 65,536 samples, 16 kHz mono 16-bit.
func flacFrame(subframe string) string {
	b := []byte{0xff, 0xf8, 0x75, 0x08, 0x00, 0xff, 0xff}
	var sum8 byte
	for _, c := range b {
		sum8 ^= c
		for range 8 {
			sum8 = sum8<<1 ^ sum8>>7*0x07
		}
	}
	b = append(append(b, sum8), subframe...)
	var sum16 uint16
	for _, c := range b {
		sum16 ^= uint16(c) << 8
		for range 8 {
			sum16 = sum16<<1 ^ sum16>>15*0x8005
		}
	}
	return string(binary.BigEndian.AppendUint16(b, sum16))
}

// Errors of the source are returned unchanged, after the samples before them.
func TestSourceErrorsPassThrough(t *testing.T) {
	gone := errors.New("the caller is gone")
	for _, f := range fixtures {
		data := read(t, f.name)
		r := audio.NewReader(nil, &pieces{data: data[:len(data)*3/4], size: fixed(500), end: gone}, audio.Limits{})
		_, err := drainAny(r)
		if err != gone {
			t.Errorf("%s: %v", f.name, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := audio.ReadAll(ctx, nil, read(t, "silk.opus"), audio.Limits{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// A panic of the source is not turned into an error of the audio.
func TestSourcePanicsPassThrough(t *testing.T) {
	defer func() {
		if p := recover(); p != "broken source" {
			t.Errorf("recovered %v", p)
		}
	}()
	_, err := audio.NewReader(nil, panicking{}, audio.Limits{}).Read(make([]float32, 1))
	t.Errorf("returned %v", err)
}

type panicking struct{}

func (panicking) Next() ([]byte, error) { panic("broken source") }

func TestClosedReader(t *testing.T) {
	r := audio.NewReader(nil, &pieces{data: read(t, "silk.opus"), size: fixed(500)}, audio.Limits{})
	if _, err := r.Read(make([]float32, 10)); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if n, err := r.Read(make([]float32, 10)); n != 0 || err != io.ErrClosedPipe {
		t.Errorf("%d, %v", n, err)
	}
}

func TestEncodeWAV(t *testing.T) {
	samples := []float32{0, 0.5, -0.5, 1, -1, 2, -2}
	var b bytes.Buffer
	if err := audio.EncodeWAV(&b, audio.EncodePCM16(samples), audio.SampleRate); err != nil {
		t.Fatal(err)
	}
	want := []float32{0, 0.5, -0.5, 32767.0 / 32768, -1, 32767.0 / 32768, -1}
	if got := decode(t, nil, b.Bytes()); !equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	live := append(audio.WAVHeader(audio.SampleRate, audio.UnknownLength), audio.EncodePCM16(samples)...)
	if got := decode(t, nil, live); !equal(got, want) {
		t.Errorf("of unknown length: %v, want %v", got, want)
	}
}
