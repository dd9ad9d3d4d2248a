package audio_test

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/lexilingo/modelgateway/engines/audio"
	"github.com/lexilingo/modelgateway/engines/errs"
)

const (
	id3v2 = "ID3\x04\x00\x00\x00\x00\x10\x00" // followed by 2048 bytes
	ape   = "APETAGEX\xd0\x07\x00\x00\x30\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\xa0\x00\x00\x00\x00\x00\x00\x00\x00"
)

// Several files, one after the other, are one recording, whatever tags or junk is
// between them.
func TestJoinedFiles(t *testing.T) {
	// A picture in a tag contains the bytes of MP3 headers.
	picture := strings.Repeat("\xff\xfb\x90\x00\x00\x00\xff\xf3", 256)
	tag1 := "TAG" + strings.Repeat("\xff\xfb\x90\x00\x00", 25)
	alone := map[string][]float32{}
	for _, test := range []struct {
		first, between, second string
	}{
		{"vbr-44k.mp3", "", "vbr-44k.mp3"},
		{"vbr-44k.mp3", tag1, "vbr-44k.mp3"},
		{"vbr-44k.mp3", tag1 + id3v2 + picture, "vbr-44k.mp3"},
		{"vbr-44k.mp3", ape + picture[:2000], "vbr-44k.mp3"},
		{"vbr-44k.mp3", picture, "vbr-44k.mp3"},
		{"vbr-44k.mp3", strings.Repeat("\x00", 100_000), "vbr-44k.mp3"},
		{"vbr-44k.mp3", "", "mono-16k.mp3"},
		{"mono-16k.mp3", id3v2 + picture, "vbr-44k.mp3"},
		{"mono-16k.mp3", "", "mono-16k.mp3"},
		{"vbr-44k.mp3", "", "wav-16.wav"},
		{"vbr-44k.mp3", tag1, "stereo-44k.flac"},
		{"stereo-44k.flac", "", "stereo-44k.flac"},
		{"stereo-44k.flac", "", "mono-24k-24bit.flac"},
		{"mono-24k-24bit.flac", id3v2 + picture, "stereo-44k.flac"},
		{"stereo-44k.flac", "", "vbr-44k.mp3"},
		{"stereo-44k.flac", "", "mono-16k.mp3"},
		{"wav-16.wav", "", "wav-16.wav"},
		{"wav-8.wav", "LIST\x04\x00\x00\x00INFO", "wav-24.wav"},
		{"wav-f32.wav", "", "stereo-44k.flac"},
		{"wav-16.wav", "", "mono-16k.mp3"},
		{"wav-16.wav", "", "silk.opus"},
		{"silk.opus", "", "wav-16.wav"},
		{"celt-stereo.opus", "", "vbr-44k.mp3"},
		{"browser-mono.webm", "", "browser-stereo.webm"},
		{"browser-stereo.webm", "", "browser-mono.webm"},
		{"lavf.webm", "", "lavf.webm"},
		{"browser-mono.webm", "", "wav-16.wav"},
		{"stereo-44k.mp4", "", "stereo-44k.mp4"},
		{"fragments.mp4", "", "wav-16.wav"},
		{"mono-48k.m4a", "", "fragments.mp4"},
		{"wav-16.wav", "", "stereo-44k.mp4"},
		{"narrow.amr", "", "silk.opus"},
		{"stereo-44k.flac", "", "wide.amr"},
		{"vorbis.ogg", "", "vorbis.ogg"},
		{"silk.opus", "", "vorbis.ogg"},
		{"vorbis.ogg", "", "celt-stereo.opus"},
		{"vorbis.webm", "", "wav-16.wav"},
		{"browser-mono.webm", "", "vorbis.webm"},
		{"adts.aac", id3v2 + picture, "stereo-44k.flac"},
		{"vbr-44k.mp3", "", "adts.aac"},
		{"wav-16.wav", "", "adts.aac"},
	} {
		t.Run(fmt.Sprintf("%s+%d+%s", test.first, len(test.between), test.second), func(t *testing.T) {
			data := slices.Concat(read(t, test.first), []byte(test.between), read(t, test.second))
			got := drain(t, audio.NewReader(nil, &pieces{data: data, size: fixed(777)}, audio.Limits{}))
			for _, name := range []string{test.first, test.second} {
				if alone[name] == nil {
					alone[name] = decode(t, nil, read(t, name))
				}
			}
			wantParts(t, got, alone[test.first], alone[test.second])
		})
	}
}

// wantParts checks that got is first and second, except near the boundary.
func wantParts(t *testing.T, got, first, second []float32) {
	t.Helper()
	if d := len(got) - len(first) - len(second); d < -2 || d > 2 {
		t.Fatalf("%d samples, want %d and %d", len(got), len(first), len(second))
	}
	if x := snr(got[:len(first)-reach], first[:len(first)-reach]); x < 60 {
		t.Errorf("the first agrees to %.1f dB", x)
	}
	best := math.Inf(-1) // the second may begin between two samples
	for shift := -2; shift <= 2; shift++ {
		at := len(got) - len(second) + shift
		end := min(len(second), len(got)-at) - reach
		best = max(best, snr(got[at+reach:at+end], second[reach:end]))
	}
	if best < 15 { // the shift may be a quarter of a sample
		t.Errorf("the second agrees to %.1f dB", best)
	}
}

// Many files are one recording: also where one lacks the frame that describes it.
func TestJoinedMP3WithoutInfo(t *testing.T) {
	whole := read(t, "vbr-44k.mp3")
	info := bytes.Index(whole, []byte("\xff\xfb"))
	if !bytes.Contains(whole[info:info+200], []byte("Info")) && !bytes.Contains(whole[info:info+200], []byte("Xing")) {
		t.Fatal("the first frame does not describe the file")
	}
	bare := whole[info+200+bytes.Index(whole[info+200:], []byte("\xff\xfb")):]
	n, m := len(decode(t, nil, whole)), len(decode(t, nil, bare))
	if m <= n {
		t.Fatalf("%d samples without the information, %d with it", m, n)
	}
	got := len(decode(t, nil, slices.Concat(whole, bare, whole, bare)))
	if d := got - 2*n - 2*m; d < -4 || d > 4 {
		t.Errorf("%d samples, want %d", got, 2*n+2*m)
	}
}

// What cannot be decoded is an error that says where it begins. The samples before
// it are returned.
func TestJoinedUnreadable(t *testing.T) {
	for _, test := range []struct{ first, second, part string }{
		{"vbr-44k.mp3", speex(t), "begins at 0.6 s cannot be read: the audio is Speex in Ogg"},
		{"stereo-44k.flac", speex(t), "cannot be read: the audio is Speex in Ogg"},
		{"silk.opus", speex(t), "begins at 0.6 s cannot be read: the audio is Speex in Ogg"},
		{"vorbis.ogg", speex(t), "begins at 0.6 s cannot be read: the audio is Speex in Ogg"},
		{"browser-mono.webm", strings.Replace(string(read(t, "vorbis.webm")), "A_VORBIS", "A_FLAC\x00\x00", 1), "no track of Opus or Vorbis, only A_FLAC"},
		{"wav-16.wav", wav(2, 1, 8000, 4, "x"), "begins at 0.2 s cannot be read: the WAV file contains ADPCM"},
	} {
		t.Run(test.first, func(t *testing.T) {
			first := read(t, test.first)
			r := audio.NewReader(nil, &pieces{data: append(first, test.second...), size: fixed(1000)}, audio.Limits{})
			got, err := drainAny(r)
			wantReason(t, err, errs.AudioUnreadable, test.part)
			if want := decode(t, nil, first); len(got) < len(want)-reach {
				t.Errorf("%d samples before the error, want %d", len(got), len(want))
			}
		})
	}
}

// speex returns the beginning of a file of Speex in Ogg.
func speex(t *testing.T) string {
	like := string(read(t, "silk.opus"))
	return oggPage(like, 2, "\x50", "Speex   "+strings.Repeat("\x00", 72)) + oggPage(like, 0, "\x01", "\x00")
}

// The number of files and of sample rates is limited: each costs more time than
// its bytes are worth.
func TestJoinedLimits(t *testing.T) {
	var rates, files strings.Builder
	for i := range 2000 {
		rates.WriteString(wav(1, 1, uint32(190_000+i), 16, strings.Repeat("\x00\x10", 20)))
		files.WriteString(wav(1, 1, 16_000, 16, "\x00\x10"))
	}
	for data, part := range map[string]string{
		rates.String(): "more than 6 sample rates",
		files.String(): "more than 1000 files",
	} {
		var err error
		cost := allocated(func() { _, err = audio.ReadAll(context.Background(), nil, []byte(data), audio.Limits{}) })
		wantReason(t, err, errs.AudioUnreadable, part)
		if cost > 128<<20 {
			t.Errorf("%s: allocated %d bytes", part, cost)
		}
	}
}
