package whisper

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/lexilingo/modelgateway/engines/audio"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// vadModel writes a voice activity model of Silero's structure in ggml's format. Its
// weights make it detect loudness: a spectrum, its mean, and gates that keep no state.
func vadModel(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	put := func(values ...int32) { _ = binary.Write(&b, binary.LittleEndian, values) }
	put(0x67676d6c, int32(len("silero-16k")))
	b.WriteString("silero-16k")
	put(6, 2, 0, 512, 64, 4)
	channels := []int32{129, 128, 64, 64, 128}
	for i := range 4 {
		put(channels[i], channels[i+1], 3)
	}
	put(128, 128, 128, 1)
	tensor := func(name string, half bool, value func(i int) float64, sizes ...int32) {
		kind, count := int32(0), 1
		if half {
			kind = 1
		}
		put(int32(len(sizes)), int32(len(name)), kind)
		put(sizes...)
		b.WriteString(name)
		for _, n := range sizes {
			count *= int(n)
		}
		for i := range count {
			if half {
				put16(&b, halfFloat(float32(value(i))))
			} else {
				_ = binary.Write(&b, binary.LittleEndian, float32(value(i)))
			}
		}
	}
	constant := func(v float64) func(int) float64 { return func(int) float64 { return v } }
	for i := range 4 {
		name := fmt.Sprintf("_model.encoder.%d.reparam_conv", i)
		tensor(name+".weight", true, constant(1/float64(3*channels[i])), 3, channels[i], channels[i+1])
		tensor(name+".bias", false, constant(0), channels[i+1])
	}
	// The gates are input, forget, cell and output, 128 of each.
	tensor("_model.decoder.rnn.weight_ih", false, func(i int) float64 {
		if gate := i / 128 / 128; gate == 2 {
			return 20. / 128
		}
		return 0
	}, 128, 512)
	tensor("_model.decoder.rnn.bias_ih", false, func(i int) float64 { return []float64{9, -9, -1, 9}[i/128] }, 512)
	tensor("_model.decoder.rnn.weight_hh", false, constant(0), 128, 512)
	tensor("_model.decoder.rnn.bias_hh", false, constant(0), 512)
	tensor("_model.decoder.decoder.2.weight", true, constant(8./128), 128)
	tensor("_model.decoder.decoder.2.bias", false, constant(-4))
	tensor("_model.stft.forward_basis_buffer", true, func(i int) float64 {
		n, k := i%256, i/256
		hann := 0.5 - 0.5*math.Cos(2*math.Pi*float64(n)/256)
		if k < 129 {
			return hann * math.Cos(2*math.Pi*float64(k*n)/256)
		}
		return -hann * math.Sin(2*math.Pi*float64((k-129)*n)/256)
	}, 256, 1, 258)
	path := filepath.Join(t.TempDir(), "vad.bin")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func put16(b *bytes.Buffer, v uint16) { b.Write([]byte{byte(v), byte(v >> 8)}) }

// halfFloat rounds a small number to 16 bits. Numbers below the normal range become 0.
func halfFloat(v float32) uint16 {
	sign, v := uint16(0), v
	if v < 0 {
		sign, v = 1<<15, -v
	}
	exponent := uint16(15)
	for v < 1 && exponent > 0 {
		v, exponent = v*2, exponent-1
	}
	for v >= 2 {
		v, exponent = v/2, exponent+1
	}
	if exponent == 0 {
		return sign
	}
	return sign | exponent<<10 | uint16((v-1)*1024)
}

func TestVADSameAsWhisperCLI(t *testing.T) {
	vad := vadModel(t)
	samples := repeated(append(personSamples(t), speechSamples(t)...), 45)
	settings := map[string]any{"vad_model": vad, "vad_threshold": 0.5, "silence_threshold": 0}
	m := load(t, starter(), settings)
	s, err := m.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	spans, err := s.speech(samples)
	s.close()
	if err != nil || len(spans) < 2 {
		t.Fatalf("speech %v, %v: no times to map", spans, err)
	}
	want := whisperCLI(t, starter(), samples, "-bs", "1", "--vad", "-vm", vad, "-vt", "0.5")
	if len(want.Transcription) == 0 {
		t.Fatal("the reference has no segments") // one is enough: the times of its words are mapped too
	}
	want.compareAnswer(t, final(t, m, &gatewayv1.TranscriptionConfig{WordTimestamps: true}, wav(samples, 16000, 1)))
}

func TestVADSkipsAudioWithoutSpeech(t *testing.T) {
	m := load(t, starter(), map[string]any{"vad_model": vadModel(t), "vad_threshold": 1, "silence_threshold": 0})
	for _, interim := range []bool{false, true} {
		got := final(t, m, &gatewayv1.TranscriptionConfig{InterimResults: interim}, wav(longSpeech(t, 35), 16000, 1))
		if got.GetText() != "" || got.GetAudioDuration().AsDuration() != 35*time.Second {
			t.Errorf("interim results %v: %v", interim, got)
		}
	}
}

func TestVADInStreamsAndBlocks(t *testing.T) {
	m := load(t, starter(), map[string]any{"vad_model": vadModel(t), "block_seconds": 60})
	data := wav(longSpeech(t, 75), 16000, 1)
	events, err := transcribe(t.Context(), m, &gatewayv1.TranscriptionConfig{InterimResults: true, WordTimestamps: true}, data)
	if err != nil {
		t.Fatal(err)
	}
	checkStream(t, events)
	got := final(t, m, &gatewayv1.TranscriptionConfig{WordTimestamps: true}, data)
	var last time.Duration
	for _, s := range got.GetSegments() {
		if s.GetStart().AsDuration() < last-time.Second || s.GetEnd().AsDuration() < s.GetStart().AsDuration() {
			t.Errorf("%q from %v to %v after %v", s.GetText(), s.GetStart().AsDuration(), s.GetEnd().AsDuration(), last)
		}
		last = s.GetEnd().AsDuration()
	}
	if last < 60*time.Second {
		t.Errorf("the last segment ends at %v", last)
	}
}

// With a voice activity model, blocks end in silence, and no audio is transcribed
// twice.
func TestVADBlocksEndInSilence(t *testing.T) {
	settings := map[string]any{"vad_model": vadModel(t), "block_seconds": 60}
	m := load(t, starter(), settings)
	samples := repeated(personSamples(t), 130)
	for i := range samples { // 7 s of speech and 1 s of silence: speech at the end of each block
		if i%(8*16000) < 16000 {
			samples[i] = 0
		}
	}
	s, err := m.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	all, err := s.speech(samples)
	if err != nil || len(all) < 10 {
		t.Fatalf("speech %v, %v", all, err)
	}
	reader := audio.NewReader(rawFormat(), &source{data: pcm(samples), piece: 1 << 15}, audio.Limits{})
	defer func() { _ = reader.Close() }()
	tr := &transcription{model: m, stream: s}
	transcribed := time.Duration(0) // end of the transcribed audio
	blocks := 0
	if err := tr.blocks(t.Context(), reader, func(_ *block, c *clip) (int, error) {
		blocks++
		hasSpeech, err := tr.prepare(c)
		if err != nil || !hasSpeech {
			return 0, fmt.Errorf("block %d: %v, %v", blocks, hasSpeech, err)
		}
		if c.start < transcribed {
			t.Errorf("block %d begins at %v, but the audio before %v is transcribed", blocks, c.start, transcribed)
		}
		transcribed = c.time(int64(len(c.cut.Samples)) / frameLength)
		end := c.start + time.Duration(c.rest)*frame
		for _, span := range all {
			from, to := time.Duration(span.Start)*frame, time.Duration(span.End)*frame
			if c.more && end > from && end < to {
				t.Errorf("block %d ends at %v, in speech from %v to %v", blocks, end, from, to)
			}
		}
		return c.rest, nil
	}); err != nil {
		t.Fatal(err)
	}
	if last := time.Duration(all[len(all)-1].End) * frame; blocks < 3 || transcribed < last-time.Second {
		t.Errorf("%d blocks, transcribed up to %v of speech up to %v", blocks, transcribed, last)
	}
}
