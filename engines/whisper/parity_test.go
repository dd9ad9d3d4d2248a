package whisper

import (
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/lexilingo/modelgateway/engines/audio"
	"github.com/lexilingo/modelgateway/engines/whisper/transcript"
	"github.com/lexilingo/modelgateway/engines/whisper/whispercpp"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// These tests compare texts, times and the probability of each token with those of
// whisper-cli: they show any difference in the input of the model or in decoding.

// stereo returns a stereo file at 44.1 kHz of samples at 16 kHz.
func stereo(samples []float32) []byte {
	var out []float32
	for i := 0; ; i++ {
		at := float64(i) * 16000 / 44100
		j, f := int(at), float32(at-math.Floor(at))
		if j+1 >= len(samples) {
			return wav(out, 44100, 2)
		}
		s := samples[j]*(1-f) + samples[j+1]*f
		out = append(out, s, 0.5*s)
	}
}

// decode returns the samples that the engine gets from a file.
func decode(t testing.TB, file []byte) []float32 {
	t.Helper()
	r := audio.NewReader(nil, &source{data: file, piece: 1 << 15}, audio.Limits{})
	defer func() { _ = r.Close() }()
	var all []float32
	var piece [4096]float32
	for {
		n, err := r.Read(piece[:])
		all = append(all, piece[:n]...)
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// peaks reduces the level of samples and adds a loud tone to each second, so that each
// block is scaled like the whole.
func peaks(samples []float32) []float32 {
	for i := range samples {
		samples[i] *= 0.1
		if i%16000 < 1600 {
			samples[i] = float32(math.Sin(float64(i%16000) * 2 * math.Pi / 16))
		}
	}
	return samples
}

func TestSameAsWhisperCLI(t *testing.T) {
	clip := speechSamples(t)
	for _, c := range []struct {
		name     string
		file     []byte
		config   *gatewayv1.TranscriptionConfig
		options  []string
		settings map[string]any
	}{
		{"a clip, greedy", wav(clip, 16000, 1), &gatewayv1.TranscriptionConfig{}, []string{"-bs", "1"}, nil},
		{"a clip, beams", wav(clip, 16000, 1), &gatewayv1.TranscriptionConfig{BeamSize: 5}, []string{"-bs", "5"}, nil},
		{"a clip past 30 s, greedy", wav(longSpeech(t, 72), 16000, 1), &gatewayv1.TranscriptionConfig{}, []string{"-bs", "1"}, nil},
		{"a clip past 30 s, beams", wav(longSpeech(t, 40), 16000, 1), &gatewayv1.TranscriptionConfig{BeamSize: 3}, []string{"-bs", "3"}, nil},
		{"stereo at 44.1 kHz", stereo(clip), &gatewayv1.TranscriptionConfig{}, []string{"-bs", "1"}, nil},
		{"a prompt", wav(clip, 16000, 1), &gatewayv1.TranscriptionConfig{InitialPrompt: "President Kennedy, 1961."},
			[]string{"-bs", "1", "--prompt", "President Kennedy, 1961."}, nil},
		{"settings", wav(clip, 16000, 1), &gatewayv1.TranscriptionConfig{},
			[]string{"-bs", "1", "-tp", "0.4", "-nf", "-mc", "0", "-sns"},
			map[string]any{"temperature": 0.4, "temperature_inc": 0, "n_max_text_ctx": 0, "suppress_nst": true}},
		// Without decodings at a higher temperature, whose random numbers start again with each block. A block may
		// begin a little before whisper.cpp's window.
		{"blocks", wav(peaks(longSpeech(t, 100)), 16000, 1), &gatewayv1.TranscriptionConfig{}, []string{"-bs", "1", "-nf"},
			map[string]any{"temperature_inc": 0, "block_seconds": 60}},
	} {
		t.Run(c.name, func(t *testing.T) {
			samples := decode(t, c.file)
			want := whisperCLI(t, starter(), samples, c.options...)
			if n := want.words(); n < 5 {
				t.Fatalf("the reference has only %d words to compare", n)
			}
			settings := map[string]any{"silence_threshold": 0}
			for k, v := range c.settings {
				settings[k] = v
			}
			m := load(t, starter(), settings)
			c.config.WordTimestamps = true
			got := final(t, m, c.config, c.file)
			if c.settings["block_seconds"] != nil {
				compareFirstBlock(t, want, got)
				return
			}
			want.compare(t, rawSegments(t, m, c.config, samples))
			want.compareAnswer(t, got)
		})
	}
}

// compareFirstBlock compares the first of two blocks of a minute with the reference,
// and checks that the second has segments.
func compareFirstBlock(t *testing.T, want reference, got *gatewayv1.Transcript) {
	t.Helper()
	const end, early = 60_000, 200 // milliseconds; the second block may begin a little before the end of the first
	first := slices.DeleteFunc(slices.Clone(want.Transcription), func(s referenceSegment) bool {
		return s.Offsets.To > end || s.Offsets.From >= end-early
	})
	segments := got.GetSegments()
	n := slices.IndexFunc(segments, func(s *gatewayv1.TranscriptSegment) bool {
		return milliseconds(s.GetEnd()) > end || milliseconds(s.GetStart()) >= end-early
	})
	if n < 0 {
		t.Fatalf("no segment after the first of two blocks: %q", got.GetText())
	}
	var text strings.Builder // the texts of segments include the spaces between them
	for _, s := range first {
		text.WriteString(s.Text)
	}
	reference{Transcription: first}.compareAnswer(t, &gatewayv1.Transcript{
		Segments: segments[:n], Text: transcript.Clean(text.String()), AudioDuration: got.GetAudioDuration(),
	})
}

// words returns the number of words of the reference.
func (r reference) words() (n int) {
	for _, s := range r.Transcription {
		n += len(strings.Fields(s.Text))
	}
	return n
}

// rawSegments runs whisper.cpp like a call and returns its segments.
func rawSegments(t *testing.T, m *model, cfg *gatewayv1.TranscriptionConfig, samples []float32) []whispercpp.Segment {
	t.Helper()
	req, err := m.request(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s, err := m.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	var found []whispercpp.Segment
	if err := s.run(req.options, samples, nil, func(segment whispercpp.Segment) error {
		found = append(found, segment)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return found
}

// compareAnswer compares the transcript that a caller gets with the reference.
func (r reference) compareAnswer(t *testing.T, got *gatewayv1.Transcript) {
	t.Helper()
	var text strings.Builder
	at := 0
	for _, want := range r.Transcription {
		text.WriteString(want.Text)
		if transcript.Clean(want.Text) == "" {
			continue
		}
		if at == len(got.GetSegments()) {
			t.Fatalf("%d segments, the reference has more: %q", at, want.Text)
		}
		s := got.GetSegments()[at]
		at++
		if withoutInvalid(s.GetText()) != withoutInvalid(transcript.Clean(want.Text)) || !sameTimes(s, want, milliseconds(got.GetAudioDuration())) {
			t.Fatalf("segment %d is %q from %v to %v, the reference has %q from %d to %d ms", at, s.GetText(),
				s.GetStart().AsDuration(), s.GetEnd().AsDuration(), want.Text, want.Offsets.From, want.Offsets.To)
		}
		if len(s.GetWords()) == 0 || s.GetConfidence() <= 0 {
			t.Errorf("segment %d has %d words and the confidence %g", at, len(s.GetWords()), s.GetConfidence())
		}
	}
	if at != len(got.GetSegments()) {
		t.Errorf("%d segments, the reference has %d", len(got.GetSegments()), at)
	}
	if withoutInvalid(got.GetText()) != withoutInvalid(transcript.Clean(text.String())) {
		t.Errorf("text %q, the reference has %q", got.GetText(), text.String())
	}
}

// sameTimes reports whether a segment has the times of the reference. Those may be
// after the end of the audio and may have no length.
func sameTimes(s *gatewayv1.TranscriptSegment, want referenceSegment, length int64) bool {
	from, to := min(want.Offsets.From, length), min(want.Offsets.To, length)
	start, end := milliseconds(s.GetStart()), milliseconds(s.GetEnd())
	if to <= from {
		return start <= from && end >= from && end-start == minDuration.Milliseconds()
	}
	return start == from && end == to
}

// withoutInvalid removes the replacement characters for invalid UTF-8: the reference's
// JSON and the answer differ in their number.
func withoutInvalid(text string) string { return strings.ReplaceAll(text, "\uFFFD", "") }

func milliseconds(d *durationpb.Duration) int64 { return int64(d.AsDuration() / time.Millisecond) }
