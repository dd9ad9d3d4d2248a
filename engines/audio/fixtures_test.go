package audio_test

import (
	"context"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/lexilingo/modelgateway/engines/audio"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// The encodings, without the generated prefix.
const (
	pcmS16LE = gatewayv1.AudioEncoding_AUDIO_ENCODING_PCM_S16LE
	pcmF32LE = gatewayv1.AudioEncoding_AUDIO_ENCODING_PCM_F32LE
	wavFile  = gatewayv1.AudioEncoding_AUDIO_ENCODING_WAV
	flacFile = gatewayv1.AudioEncoding_AUDIO_ENCODING_FLAC
	mp3File  = gatewayv1.AudioEncoding_AUDIO_ENCODING_MP3
	oggOpus  = gatewayv1.AudioEncoding_AUDIO_ENCODING_OGG_OPUS
	webmOpus = gatewayv1.AudioEncoding_AUDIO_ENCODING_WEBM_OPUS
	mp4File  = gatewayv1.AudioEncoding_AUDIO_ENCODING_MP4
	amrFile  = gatewayv1.AudioEncoding_AUDIO_ENCODING_AMR
	aacFile  = gatewayv1.AudioEncoding_AUDIO_ENCODING_AAC
)

// fixture is a recording in testdata, and how well it must agree with the output
// of the reference decoder, which is rounded to 16 bits.
type fixture struct {
	name      string
	reference string // in testdata/ref; its name if empty
	info      audio.Info
	snr       float64 // decibels, at least
}

// Some decoders agree to less than 16 bits:
// pion's SILK computes in floats where libopus computes in integers.
var fixtures = []fixture{
	{"stereo-44k.flac", "", audio.Info{Encoding: flacFile, SampleRate: 44100, Channels: 2}, 70},
	{"mono-24k-24bit.flac", "", audio.Info{Encoding: flacFile, SampleRate: 24000, Channels: 1}, 70},
	{"vbr-44k.mp3", "", audio.Info{Encoding: mp3File, SampleRate: 44100, Channels: 2}, 70},
	{"mono-16k.mp3", "", audio.Info{Encoding: mp3File, SampleRate: 16000, Channels: 1}, 70},
	{"mpeg25-8k.mp3", "", audio.Info{Encoding: mp3File, SampleRate: 8000, Channels: 1}, 70},
	{"mpeg25-11k.mp3", "", audio.Info{Encoding: mp3File, SampleRate: 11025, Channels: 2}, 70},
	{"mpeg25-12k.mp3", "", audio.Info{Encoding: mp3File, SampleRate: 12000, Channels: 1}, 70},
	{"silk.opus", "", audio.Info{Encoding: oggOpus, SampleRate: 48000, Channels: 1}, 45},
	{"hybrid.opus", "", audio.Info{Encoding: oggOpus, SampleRate: 48000, Channels: 1}, 45},
	{"celt-stereo.opus", "", audio.Info{Encoding: oggOpus, SampleRate: 48000, Channels: 2}, 70},
	{"lavf.webm", "", audio.Info{Encoding: webmOpus, SampleRate: 48000, Channels: 1}, 45},
	{"browser-mono.webm", "", audio.Info{Encoding: webmOpus, SampleRate: 48000, Channels: 1}, 45},
	{"browser-stereo.webm", "", audio.Info{Encoding: webmOpus, SampleRate: 48000, Channels: 2}, 45},
	{"stereo-44k.mp4", "", audio.Info{Encoding: mp4File, SampleRate: 44100, Channels: 2}, 55},
	{"fragments.mp4", "", audio.Info{Encoding: mp4File, SampleRate: 44100, Channels: 2}, 55},
	{"adts.aac", "", audio.Info{Encoding: aacFile, SampleRate: 44100, Channels: 2}, 55},
	{"vorbis.ogg", "", audio.Info{Encoding: oggOpus, SampleRate: 44100, Channels: 2}, 60},
	{"vorbis.webm", "", audio.Info{Encoding: webmOpus, SampleRate: 24000, Channels: 1}, 60},
	{"narrow.amr", "", audio.Info{Encoding: amrFile, SampleRate: 8000, Channels: 1}, 30},
	{"wide.amr", "", audio.Info{Encoding: amrFile, SampleRate: 16000, Channels: 1}, 30},
	{"wide.3gp", "", audio.Info{Encoding: mp4File, SampleRate: 16000, Channels: 1}, 30},
	{"wav-8.wav", "wav-16.wav", audio.Info{Encoding: wavFile, SampleRate: 11025, Channels: 1}, 30},
	{"wav-16.wav", "", audio.Info{Encoding: wavFile, SampleRate: 11025, Channels: 1}, 60},
	{"wav-24.wav", "wav-16.wav", audio.Info{Encoding: wavFile, SampleRate: 11025, Channels: 1}, 60},
	{"wav-32.wav", "wav-16.wav", audio.Info{Encoding: wavFile, SampleRate: 11025, Channels: 1}, 60},
	{"wav-f32.wav", "wav-16.wav", audio.Info{Encoding: wavFile, SampleRate: 11025, Channels: 1}, 60},
	{"wav-f64.wav", "wav-16.wav", audio.Info{Encoding: wavFile, SampleRate: 11025, Channels: 1}, 60},
	{"wav-mulaw.wav", "", audio.Info{Encoding: wavFile, SampleRate: 11025, Channels: 1}, 60},
	{"wav-alaw.wav", "", audio.Info{Encoding: wavFile, SampleRate: 11025, Channels: 1}, 60},
	{"wav-pipe.wav", "wav-16.wav", audio.Info{Encoding: wavFile, SampleRate: 11025, Channels: 1}, 60},
}

// indexLast are recordings whose index comes after the sound. Truncated, they cannot be
// read.
var indexLast = []fixture{
	{"mono-48k.m4a", "", audio.Info{Encoding: mp4File, SampleRate: 48000, Channels: 1}, 55},
	{"quicktime.mov", "", audio.Info{Encoding: mp4File, SampleRate: 48000, Channels: 1}, 55},
}

func read(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func (f fixture) want(t testing.TB) []float32 {
	t.Helper()
	name := f.reference
	if name == "" {
		name = f.name
	}
	return decode(t, nil, read(t, filepath.Join("ref", name+".flac")))
}

func decode(t testing.TB, format *gatewayv1.AudioFormat, data []byte) []float32 {
	t.Helper()
	samples, err := audio.ReadAll(context.Background(), format, data, audio.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return samples
}

// snr returns the signal-to-noise ratio of got against want, in decibels.
func snr(got, want []float32) float64 {
	var signal, noise float64
	for i := range min(len(got), len(want)) {
		d := float64(got[i]) - float64(want[i])
		signal += float64(want[i]) * float64(want[i])
		noise += d * d
	}
	return 10 * math.Log10(signal/(noise+1e-30))
}

func TestReferenceDecoders(t *testing.T) {
	for _, f := range slices.Concat(fixtures, indexLast) {
		t.Run(f.name, func(t *testing.T) {
			want := f.want(t)
			r := audio.NewReader(nil, &pieces{data: read(t, f.name), size: fixed(4096)}, audio.Limits{})
			got := drain(t, r)
			if r.Info() != f.info {
				t.Errorf("info %+v, want %+v", r.Info(), f.info)
			}
			if d := len(got) - len(want); d < -1 || d > 1 {
				t.Errorf("%d samples, want %d", len(got), len(want))
			}
			t.Logf("%.1f dB", snr(got, want))
			if snr(got, want) < f.snr {
				t.Errorf("agrees with the reference to %.1f dB, want %.0f", snr(got, want), f.snr)
			}
		})
	}
}

// Two chained streams are one recording.
func TestChainedStreams(t *testing.T) {
	first, second := fixture{name: "silk.opus"}.want(t), fixture{name: "celt-stereo.opus"}.want(t)
	got := decode(t, nil, read(t, "chained.opus"))
	if d := len(got) - len(first) - len(second); d < -2 || d > 2 {
		t.Fatalf("%d samples, want %d", len(got), len(first)+len(second))
	}
	if x := snr(got[:len(first)-reach], first); x < 45 {
		t.Errorf("the first agrees to %.1f dB", x)
	}
	at := len(got) - len(second)
	if x := snr(got[at+reach:], second[reach:]); x < 60 {
		t.Errorf("the second agrees to %.1f dB", x)
	}
}

// pieces is a Source that returns data in pieces.
type pieces struct {
	data []byte
	size func() int
	end  error // io.EOF if nil
}

func (p *pieces) Next() ([]byte, error) {
	if len(p.data) == 0 {
		if p.end != nil {
			return nil, p.end
		}
		return nil, io.EOF
	}
	n := min(p.size(), len(p.data))
	piece := p.data[:n]
	p.data = p.data[n:]
	return piece, nil
}

func fixed(n int) func() int { return func() int { return n } }

// drain reads to the end, in buffers of an odd length.
func drain(t testing.TB, r *audio.Reader) []float32 {
	t.Helper()
	samples, err := drainAny(r)
	if err != nil {
		t.Fatal(err)
	}
	return samples
}

func drainAny(r *audio.Reader) ([]float32, error) {
	var all []float32
	buf := make([]float32, 1237)
	for {
		n, err := r.Read(buf)
		all = append(all, buf[:n]...)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return all, err
		}
	}
}

// The samples do not depend on the sizes of the pieces, which may be empty.
func TestPiecesMakeNoDifference(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	sizes := map[string]func() int{
		"one byte": fixed(1),
		"random":   func() int { return random.IntN(3000) },
	}
	for _, f := range fixtures {
		data := read(t, f.name)
		want := decode(t, nil, data)
		for how, size := range sizes {
			got := drain(t, audio.NewReader(nil, &pieces{data: data, size: size}, audio.Limits{}))
			if !equal(got, want) {
				t.Errorf("%s: pieces of %s give other samples", f.name, how)
			}
		}
	}
}

func equal(a, b []float32) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// A truncated recording returns the samples of the bytes that are there.
func TestTruncated(t *testing.T) {
	for _, f := range fixtures {
		data := read(t, f.name)
		want := decode(t, nil, data)
		previous := 0
		for tenths := 3; tenths < 10; tenths += 3 {
			r := audio.NewReader(nil, &pieces{data: data[:len(data)*tenths/10], size: fixed(1000)}, audio.Limits{})
			got, err := drainAny(r)
			if err != nil && len(got) > 0 {
				t.Errorf("%s: cut at %d/10: %v after %d samples", f.name, tenths, err, len(got))
			}
			if len(got) < previous || len(got) > len(want) {
				t.Errorf("%s: cut at %d/10: %d samples of %d; before %d", f.name, tenths, len(got), len(want), previous)
			}
			previous = len(got)
			const edge = 250 // samples at the end that the resampler's filter affects
			if n := len(got) - edge; n > 0 && !equal(got[:n], want[:n]) {
				t.Errorf("%s: cut at %d/10: other samples", f.name, tenths)
			}
		}
		if previous == 0 {
			t.Errorf("%s: no samples of nine tenths of the file", f.name)
		}
	}
}
