package whisper

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

func TestSilenceHasNoText(t *testing.T) {
	m := load(t, starter(), nil)
	clip := speechSamples(t)
	dither := make([]float32, 16000*5)
	for i := range dither {
		dither[i] = float32(rand.IntN(3)-1) / 32768
	}
	for name, samples := range map[string][]float32{
		"no audio":         nil,
		"below 100 ms":     clip[16000 : 16000+1500],
		"digital silence":  make([]float32, 16000*5),
		"dithered silence": dither,
		"long silence":     make([]float32, 16000*70),
	} {
		for _, interim := range []bool{false, true} {
			got := final(t, m, &gatewayv1.TranscriptionConfig{Format: rawFormat(), InterimResults: interim}, pcm(samples))
			if got.GetText() != "" || len(got.GetSegments()) != 0 {
				t.Errorf("%s (interim results %v): %q", name, interim, got.GetText())
			}
			want := time.Duration(len(samples)) * time.Second / 16000
			if d := got.GetAudioDuration().AsDuration() - want; d < -time.Millisecond || d > time.Millisecond {
				t.Errorf("%s lasts %v, want %v", name, got.GetAudioDuration().AsDuration(), want)
			}
		}
	}
}

// The starter recognises most words of a sentence that its training did not contain.
// Of several sentences in a row it transcribes only the first ones, as its card says.
func TestStarterRecognisesASentence(t *testing.T) {
	got := final(t, load(t, starter(), nil), &gatewayv1.TranscriptionConfig{Format: rawFormat()}, pcm(speechSamples(t)))
	words := strings.FieldsFunc(strings.ToLower(got.GetText()), func(r rune) bool { return r < 'a' || r > 'z' })
	wanted, right := strings.Fields(firstSentence), 0
	for _, word := range wanted {
		if slices.Contains(words, word) {
			right++
		}
	}
	if 2*right <= len(wanted) {
		t.Errorf("%d of %d words are recognised: %q", right, len(wanted), got.GetText())
	}
}

// Text that the model invents for silence within speech is not part of the
// transcript.
func TestSegmentsOfSilenceAreDropped(t *testing.T) {
	clip := speechSamples(t)
	quiet := append(append(append([]float32(nil), clip...), make([]float32, 16000*60)...), clip...)
	got := final(t, load(t, starter(), nil), &gatewayv1.TranscriptionConfig{Format: rawFormat()}, pcm(quiet))
	if len(got.GetSegments()) == 0 {
		t.Fatal("there are no segments")
	}
	for _, s := range got.GetSegments() {
		if s.GetStart().AsDuration() > 11*time.Second && s.GetEnd().AsDuration() < 71*time.Second && s.GetEnd().AsDuration() > s.GetStart().AsDuration() {
			t.Errorf("%q in the silence from %v to %v", s.GetText(), s.GetStart().AsDuration(), s.GetEnd().AsDuration())
		}
	}
}

// checkStream checks the events of a stream: the committed text only grows, final
// segments begin with it, and the transcript consists of them.
func checkStream(t *testing.T, events []*gatewayv1.TranscriptionEvent) (interims int) {
	t.Helper()
	squeeze := func(s string) string { return strings.Join(strings.Fields(s), "") }
	var finished, committed string
	var segments []*gatewayv1.TranscriptSegment
	processed := time.Duration(0)
	for i, e := range events {
		switch e := e.GetEvent().(type) {
		case *gatewayv1.TranscriptionEvent_Interim:
			interims++
			now := finished + squeeze(e.Interim.GetCommittedText())
			if !strings.HasPrefix(now, committed) {
				t.Errorf("event %d: committed %q after %q", i, now, committed)
			}
			if d := e.Interim.GetAudioProcessed().AsDuration(); d < processed {
				t.Errorf("event %d: %v processed after %v", i, d, processed)
			}
			if parts := [2]string{e.Interim.GetCommittedText(), e.Interim.GetTentativeText()}; !slices.Equal(
				strings.Fields(parts[0]+parts[1]), slices.Concat(strings.Fields(parts[0]), strings.Fields(parts[1]))) {
				t.Errorf("event %d: the parts %q are joined without a space", i, parts)
			}
			committed, processed = now, e.Interim.GetAudioProcessed().AsDuration()
		case *gatewayv1.TranscriptionEvent_Segment:
			segments = append(segments, e.Segment)
			finished += squeeze(e.Segment.GetText())
			if e.Segment.GetText() == "" || e.Segment.GetEnd().AsDuration() < e.Segment.GetStart().AsDuration() {
				t.Errorf("event %d: segment %v", i, e.Segment)
			}
		case *gatewayv1.TranscriptionEvent_Final:
			if i != len(events)-1 {
				t.Errorf("event %d of %d is the final one", i, len(events))
			}
			if !strings.HasPrefix(finished, committed) || squeeze(e.Final.GetText()) != finished {
				t.Errorf("final text %q\nsegments %q\ncommitted %q", squeeze(e.Final.GetText()), finished, committed)
			}
			if len(e.Final.GetSegments()) != len(segments) {
				t.Fatalf("%d segments in the final event, %d before it", len(e.Final.GetSegments()), len(segments))
			}
			for j, s := range e.Final.GetSegments() {
				if !proto.Equal(s, segments[j]) {
					t.Errorf("segment %d is %v in the final event, was %v", j, s, segments[j])
				}
			}
		}
	}
	return interims
}

func TestInterimResults(t *testing.T) {
	clip := speechSamples(t)
	for name, c := range map[string]struct {
		samples  []float32
		settings map[string]any
		least    int // interim results
	}{
		"a clip":             {clip, nil, 1},
		"small steps":        {clip, map[string]any{"interim_step_ms": 300}, 1},
		"a long stream":      {longSpeech(t, 65), nil, 3},
		"early trims":        {longSpeech(t, 40), map[string]any{"interim_trim_seconds": 3}, 3},
		"silence in between": {append(append(append([]float32(nil), clip...), make([]float32, 16000*40)...), clip...), nil, 3},
	} {
		t.Run(name, func(t *testing.T) {
			m := load(t, starter(), c.settings)
			events, err := transcribe(t.Context(), m, &gatewayv1.TranscriptionConfig{
				Format: rawFormat(), InterimResults: true, WordTimestamps: true,
			}, pcm(c.samples))
			if err != nil {
				t.Fatal(err)
			}
			if n := checkStream(t, events); n < c.least {
				t.Errorf("%d interim results, want at least %d", n, c.least)
			}
		})
	}
}

// A stream with a single hypothesis and a full context has exactly the transcript of the
// whole clip.
func TestStreamEqualsClip(t *testing.T) {
	m := load(t, starter(), map[string]any{"audio_ctx": "full"})
	cfg := &gatewayv1.TranscriptionConfig{Format: rawFormat(), WordTimestamps: true}
	data := pcm(speechSamples(t))
	whole := final(t, m, cfg, data)
	l := listen(t, m, cfg)
	samples := make([]float32, len(data)/2)
	for i := range samples { // all at once: how audio arrives decides where phrases end
		samples[i] = float32(int16(binary.LittleEndian.Uint16(data[2*i:]))) / (1 << 15) //nolint:gosec // the sign is in the highest bit
	}
	l.add(samples)
	if stream, _ := l.end(); !proto.Equal(whole, stream) {
		t.Errorf("the stream gives %v\nthe clip gives %v", stream, whole)
	}
}

func TestConcurrentStreamsAreIndependent(t *testing.T) {
	m := load(t, starter(), nil)
	clip := speechSamples(t)
	calls := []struct {
		cfg  *gatewayv1.TranscriptionConfig
		data []byte
	}{
		{&gatewayv1.TranscriptionConfig{Format: rawFormat(), WordTimestamps: true}, pcm(clip)},
		{&gatewayv1.TranscriptionConfig{Format: rawFormat(), BeamSize: 3}, pcm(longSpeech(t, 35))},
		{&gatewayv1.TranscriptionConfig{Format: rawFormat(), InitialPrompt: "Hello."}, pcm(clip[40000:])},
	}
	alone := make([]*gatewayv1.Transcript, len(calls))
	for i, c := range calls {
		alone[i] = final(t, m, c.cfg, c.data)
	}
	var all sync.WaitGroup
	for i, c := range calls {
		all.Go(func() {
			events, err := transcribe(t.Context(), m, c.cfg, c.data)
			if err != nil {
				t.Error(err)
				return
			}
			if got := events[len(events)-1].GetFinal(); !proto.Equal(got, alone[i]) {
				t.Errorf("call %d gives %q with others, %q alone", i, got.GetText(), alone[i].GetText())
			}
		})
	}
	all.Wait()
}

func TestBadRequests(t *testing.T) {
	m := load(t, starter(), nil)
	for name, c := range map[string]struct {
		cfg    *gatewayv1.TranscriptionConfig
		data   []byte
		reason errs.Reason
	}{
		"unknown language":     {&gatewayv1.TranscriptionConfig{Language: "xx"}, nil, errs.InvalidRequest},
		"unsupported language": {&gatewayv1.TranscriptionConfig{Language: "vi"}, nil, errs.InvalidRequest},
		"garbage":              {&gatewayv1.TranscriptionConfig{}, []byte(strings.Repeat("This is no audio at all. ", 100)), errs.AudioUnreadable},
		"garbage, interim":     {&gatewayv1.TranscriptionConfig{InterimResults: true}, []byte(strings.Repeat("This is no audio at all. ", 100)), errs.AudioUnreadable},
	} {
		_, err := transcribe(t.Context(), m, c.cfg, c.data)
		if errs.ReasonOf(err) != c.reason {
			t.Errorf("%s: got %v, want %v", name, err, errs.ReasonName(c.reason))
		}
	}
	for _, language := range []string{"en", "EN", "en-US", "en_GB", "english", "auto"} {
		if _, err := transcribe(t.Context(), m, &gatewayv1.TranscriptionConfig{Language: language, Format: rawFormat()}, nil); err != nil {
			t.Errorf("language %q: %v", language, err)
		}
	}
}
