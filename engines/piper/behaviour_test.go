package piper

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/engines/piper/phonemes"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// sound joins the audio of messages as samples.
func sound(messages []*gatewayv1.SynthesizeResponse) []int16 {
	var samples []int16
	for _, m := range messages {
		for i := 0; i+1 < len(m.GetAudio()); i += 2 {
			samples = append(samples, int16(binary.LittleEndian.Uint16(m.GetAudio()[i:]))) //nolint:gosec // the bits are meant
		}
	}
	return samples
}

func mustSay(t *testing.T, m *model, req *gatewayv1.SynthesizeRequest) []*gatewayv1.SynthesizeResponse {
	t.Helper()
	out, err := say(t.Context(), m, req)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range out {
		if told := r.GetSampleRateHertz(); (i == 0) != (told == 22050) {
			t.Errorf("message %d tells the rate %d", i, told)
		}
		if n := len(r.GetAudio()); n%2 != 0 || n > pieceBytes {
			t.Errorf("message %d has %d bytes", i, n)
		}
	}
	return out
}

func sentencesOf(messages []*gatewayv1.SynthesizeResponse) (sentences []string) {
	for _, m := range messages {
		if m.GetSentence() != "" {
			sentences = append(sentences, m.GetSentence())
		}
	}
	return sentences
}

func TestSpeak(t *testing.T) {
	m := loadVoice(t, starter(), nil)
	out := mustSay(t, m, text("Hello there, my friend. How are you today?  Fine!"))
	if got, want := sentencesOf(out), []string{"Hello there, my friend.", "How are you today?", "Fine!"}; !slices.Equal(got, want) {
		t.Errorf("the sentences are %q", got)
	}
	samples := sound(out)
	if seconds := float64(len(samples)) / 22050; seconds < 2 || seconds > 10 {
		t.Errorf("it takes %.1f s", seconds)
	}
	if loudest := slices.Max(samples); loudest < 30000 {
		t.Errorf("the loudest sample is %d", loudest)
	}
	// The last 0.2 s are the sentence's silence.
	if tail := samples[len(samples)-4410:]; slices.Max(tail) != 0 || slices.Min(tail) != 0 {
		t.Error("the silence behind the last sentence is not silent")
	}
}

// TestFirstSentenceFirst: the sound of each sentence is out before the next one
// is computed. The model counts a unit of work for each sentence it computed.
func TestFirstSentenceFirst(t *testing.T) {
	m := loadVoice(t, starter(), nil)
	before := m.work.Count()
	var counts []uint64
	err := m.Synthesize(t.Context(), text("One. Two. Three."), func(r *gatewayv1.SynthesizeResponse) error {
		if r.GetSentence() != "" {
			counts = append(counts, m.work.Count()-before)
		}
		return nil
	})
	// One unit for the phonemes, one for each sentence so far.
	if want := []uint64{2, 3, 4}; err != nil || !slices.Equal(counts, want) {
		t.Errorf("when the sentences came out, %v units were done, want %v (%v)", counts, want, err)
	}
}

func TestEmitFails(t *testing.T) {
	m := loadVoice(t, starter(), nil)
	gone := errors.New("the caller is gone")
	calls := 0
	err := m.Synthesize(t.Context(), text("One. Two. Three."), func(*gatewayv1.SynthesizeResponse) error {
		calls++
		return gone
	})
	if !errors.Is(err, gone) || calls != 1 {
		t.Errorf("after %d calls it ends with %v", calls, err)
	}
}

func TestOptions(t *testing.T) {
	m := loadVoice(t, starter(), map[string]any{"noise_scale": 0, "noise_w": 0, "sentence_silence": 0})
	request := func(change func(*gatewayv1.SynthesizeRequest)) []int16 {
		req := text("This is a sentence.")
		change(req)
		return sound(mustSay(t, m, req))
	}
	plain := request(func(*gatewayv1.SynthesizeRequest) {})
	if again := request(func(*gatewayv1.SynthesizeRequest) {}); !slices.Equal(plain, again) {
		t.Error("without noise, two runs differ")
	}
	ratio := func(samples []int16) float64 { return float64(len(samples)) / float64(len(plain)) }
	if r := ratio(request(func(q *gatewayv1.SynthesizeRequest) { q.Speed = proto.Float32(2) })); math.Abs(r-0.5) > 0.06 {
		t.Errorf("at twice the speed it takes %.2f of the time", r)
	}
	if r := ratio(request(func(q *gatewayv1.SynthesizeRequest) { q.Speed = proto.Float32(0.25) })); math.Abs(r-4) > 0.4 {
		t.Errorf("at a quarter of the speed it takes %.2f of the time", r)
	}
	half := request(func(q *gatewayv1.SynthesizeRequest) { q.Volume = proto.Float32(0.5) })
	if loudest := slices.Max(half); loudest < 15000 || loudest > 16384 {
		t.Errorf("at half the volume, the loudest sample is %d", loudest)
	}
	if mute := request(func(q *gatewayv1.SynthesizeRequest) { q.Volume = proto.Float32(0) }); slices.Max(mute) != 0 || len(mute) != len(plain) {
		t.Error("at no volume it is not silent")
	}
	if loud := request(func(q *gatewayv1.SynthesizeRequest) { q.Volume = proto.Float32(2) }); slices.Max(loud) != 32767 {
		t.Error("at twice the volume nothing is clipped")
	}
	if varied := request(func(q *gatewayv1.SynthesizeRequest) { q.NoiseScale = proto.Float32(1) }); slices.Equal(varied, plain) {
		t.Error("noise_scale changes nothing")
	}
	if varied := request(func(q *gatewayv1.SynthesizeRequest) { q.NoiseW = proto.Float32(2) }); len(varied) == len(plain) {
		t.Error("noise_w changes no length")
	}
	silent := request(func(q *gatewayv1.SynthesizeRequest) { q.SentenceSilence = durationpb.New(333 * time.Millisecond) })
	if n := len(silent) - len(plain); n != 7342 {
		t.Errorf("333 ms of silence have %d samples", n)
	}
}

func TestRefusedOptions(t *testing.T) {
	m := loadVoice(t, starter(), nil)
	nan := float32(math.NaN())
	for name, change := range map[string]func(*gatewayv1.SynthesizeRequest){
		"speed":            func(q *gatewayv1.SynthesizeRequest) { q.Speed = proto.Float32(0) },
		"volume":           func(q *gatewayv1.SynthesizeRequest) { q.Volume = proto.Float32(-1) },
		"noise_scale":      func(q *gatewayv1.SynthesizeRequest) { q.NoiseScale = &nan },
		"noise_w":          func(q *gatewayv1.SynthesizeRequest) { q.NoiseW = proto.Float32(1e9) },
		"sentence_silence": func(q *gatewayv1.SynthesizeRequest) { q.SentenceSilence = durationpb.New(time.Hour) },
		"speaker":          func(q *gatewayv1.SynthesizeRequest) { q.Speaker = "nobody" },
		"say":              func(q *gatewayv1.SynthesizeRequest) { q.Input = nil },
	} {
		req := text("Hello")
		change(req)
		if _, err := say(t.Context(), m, req); errs.ReasonOf(err) != errs.InvalidRequest || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestFedWith: the graph gets the scales and the speaker that were asked for.
func TestFedWith(t *testing.T) {
	m := loadVoice(t, testVoice(t, "echo", speakers), map[string]any{"length_scale": 3})
	fed := func(change func(*gatewayv1.SynthesizeRequest)) []float32 {
		req := text("Hi")
		change(req)
		s, err := m.parameters.optionsOf(m.voice.config, req)
		if err != nil {
			t.Fatal(err)
		}
		out, err := m.voice.speak(t.Context(), []int64{1, 0, 2}, s)
		if err != nil {
			t.Fatal(err)
		}
		return out.samples
	}
	for name, c := range map[string]struct {
		change func(*gatewayv1.SynthesizeRequest)
		want   []float32 // noise, length, noise_w, speaker
	}{
		"defaults":  {func(*gatewayv1.SynthesizeRequest) {}, []float32{0.667, 3, 0.8, 2}},
		"by name":   {func(q *gatewayv1.SynthesizeRequest) { q.Speaker = "speakerd" }, []float32{0.667, 3, 0.8, 3}},
		"by number": {func(q *gatewayv1.SynthesizeRequest) { q.Speaker = "19" }, []float32{0.667, 3, 0.8, 19}},
		"scales": {func(q *gatewayv1.SynthesizeRequest) {
			q.NoiseScale, q.NoiseW, q.Speed = proto.Float32(0.25), proto.Float32(0.5), proto.Float32(1.5)
		}, []float32{0.25, 2, 0.5, 2}},
	} {
		if got := fed(c.change); !slices.Equal(got, append(c.want, 1, 0, 2)) {
			t.Errorf("%s: the graph is fed with %v", name, got)
		}
	}
	_, err := say(t.Context(), m, &gatewayv1.SynthesizeRequest{
		Input: &gatewayv1.SynthesizeRequest_Text{Text: "Hi"}, Speaker: "20",
	})
	if errs.ReasonOf(err) != errs.InvalidRequest || !strings.Contains(err.Error(), "speakera") || !strings.Contains(err.Error(), "5 more") {
		t.Errorf("an unknown speaker: %v", err)
	}
}

// TestNothingToSay: texts without words are no error.
func TestNothingToSay(t *testing.T) {
	m := loadVoice(t, starter(), nil)
	for _, s := range []string{" ", "\n\t\n", "...", "?!?!", "“”", "\u200b\ufeff", "🫥", "[[ ]]", "[[ﷺ]]"} {
		if out := mustSay(t, m, text(s)); len(out) == 0 {
			t.Errorf("%q: no message", s)
		}
	}
	out := mustSay(t, m, &gatewayv1.SynthesizeRequest{Input: &gatewayv1.SynthesizeRequest_Phonemes{Phonemes: "ﷺ"}})
	if len(out) != 1 || len(out[0].GetAudio()) != 0 {
		t.Errorf("phonemes that nobody knows: %v", out)
	}
}

func TestPhonemes(t *testing.T) {
	m := loadVoice(t, starter(), map[string]any{"noise_scale": 0, "noise_w": 0})
	spoken := sound(mustSay(t, m, text("Hello. Hello.")))
	raw := sound(mustSay(t, m, &gatewayv1.SynthesizeRequest{
		Input: &gatewayv1.SynthesizeRequest_Phonemes{Phonemes: "həlˈoʊ. həlˈoʊ."},
	}))
	if !slices.Equal(spoken, raw) {
		t.Errorf("text has %d samples, its phonemes have %d, or others", len(spoken), len(raw))
	}
}

// TestWords: each word is told with its time, in order, within the sound.
func TestWords(t *testing.T) {
	m := loadVoice(t, starter(), nil)
	for _, said := range []string{
		"The cat, in the hat, has paid $3.50 for it. Was it Dr. Smith?",
		"One two three",
		"In 1998, 25% of the state-of-the-art CPUs cost £1,000.",
	} {
		var words []*gatewayv1.SpokenWord
		out := mustSay(t, m, text(said))
		for _, r := range out {
			words = append(words, r.GetWords()...)
		}
		length := time.Duration(len(sound(out))) * time.Second / 22050
		var last time.Duration
		var texts []string
		for _, w := range words {
			start, end := w.GetStart().AsDuration(), w.GetEnd().AsDuration()
			if start < last || end <= start || end > length {
				t.Errorf("%q: %q goes from %v to %v, the last one ended at %v, all at %v", said, w.GetText(), start, end, last, length)
			}
			last = end
			texts = append(texts, w.GetText())
		}
		want := strings.FieldsFunc(said, func(r rune) bool { return r == ' ' })
		for i := range want {
			want[i] = strings.TrimRight(want[i], ".,?!%")
		}
		if got := strings.Join(texts, " "); got != strings.Join(want, " ") {
			t.Errorf("%q: the words are %q", said, got)
		}
	}
}

// TestLongText: a text without end marks is cut, and speaks to its end.
func TestLongText(t *testing.T) {
	m := loadVoice(t, starter(), map[string]any{"sentence_silence": 0, "length_scale": 0.2})
	out := mustSay(t, m, text(strings.Repeat("word ", 5000)))
	parts := sentencesOf(out)
	if joined := strings.Fields(strings.Join(parts, " ")); len(joined) != 5000 {
		t.Errorf("%d of 5000 words are told", len(joined))
	}
	for _, part := range parts {
		if n := len(strings.Fields(part)); n > 100 {
			t.Errorf("a part has %d words", n)
		}
	}
	words := 0
	for _, r := range out {
		words += len(r.GetWords())
	}
	if words != 5000 {
		t.Errorf("%d of 5000 words have times", words)
	}
}

// TestLimit: no run has more phonemes than allowed, and none is lost.
func TestLimit(t *testing.T) {
	m := loadVoice(t, starter(), nil)
	for _, said := range []string{
		strings.Repeat("This, which is long, goes on and on; ", 50),
		strings.Repeat("a", 3000),
		strings.Repeat("Short. ", 30),
	} {
		sentences, err := phonemes.FromText(t.Context(), m.translate, m.voice.config, said)
		if err != nil {
			t.Fatal(err)
		}
		var want, got []string
		for _, s := range sentences {
			want = append(want, s.Symbols...)
		}
		for s := range phonemes.Limit(sentences, 100) {
			got = append(got, s.Symbols...)
			if len(s.Symbols) > 100 || len(s.Symbols) == 0 {
				t.Errorf("%.20q…: a part has %d symbols", said, len(s.Symbols))
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%.20q…: the parts are not the whole", said)
		}
	}
}

// TestConcurrent: requests at once do not disturb each other.
func TestConcurrent(t *testing.T) {
	m := loadVoice(t, starter(), map[string]any{"noise_scale": 0, "noise_w": 0})
	texts := []string{"The first one speaks. It goes on.", "Another one is here, too!", "And a third?"}
	alone := make([][]int16, len(texts))
	for i, s := range texts {
		alone[i] = sound(mustSay(t, m, text(s)))
	}
	var group sync.WaitGroup
	for range 3 {
		for i, s := range texts {
			group.Go(func() {
				out, err := say(t.Context(), m, text(s))
				if err != nil || !slices.Equal(sound(out), alone[i]) {
					t.Errorf("%q sounds otherwise (%v)", s, err)
				}
			})
		}
	}
	group.Wait()
}

func TestTextVoice(t *testing.T) {
	m := loadVoice(t, changedVoice(t, func(c map[string]any) { c["phoneme_type"] = "text"; delete(c, "espeak") }), nil)
	out := mustSay(t, m, text("hello world"))
	if got := sentencesOf(out); !slices.Equal(got, []string{"hello world"}) || len(sound(out)) == 0 {
		t.Errorf("it says %q", got)
	}
}

// TestLongPhonemes: the longest text of phonemes that the API takes, all one
// word, begins to sound without being cut to its end first.
func TestLongPhonemes(t *testing.T) {
	m := loadVoice(t, starter(), nil)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	heard := 0
	err := m.Synthesize(ctx, &gatewayv1.SynthesizeRequest{
		Input: &gatewayv1.SynthesizeRequest_Phonemes{Phonemes: strings.Repeat("aə ", 33_333)},
	}, func(r *gatewayv1.SynthesizeResponse) error {
		if heard += len(r.GetAudio()); heard > 10*22050*2 {
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("after %d bytes it ended with %v", heard, err)
	}
}
