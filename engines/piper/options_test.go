package piper

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/engines/internal/paramtest"
	"github.com/lexilingo/modelgateway/engines/piper/settings"
	"github.com/lexilingo/modelgateway/engines/piper/voicefile"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

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
		t.Errorf("speed 2 takes %.2f of the time", r)
	}
	if r := ratio(request(func(q *gatewayv1.SynthesizeRequest) { q.Speed = proto.Float32(0.25) })); math.Abs(r-4) > 0.4 {
		t.Errorf("speed 0.25 takes %.2f of the time", r)
	}
	half := request(func(q *gatewayv1.SynthesizeRequest) { q.Volume = proto.Float32(0.5) })
	if loudest := slices.Max(half); loudest < 15000 || loudest > 16384 {
		t.Errorf("volume 0.5: the loudest sample is %d", loudest)
	}
	if mute := request(func(q *gatewayv1.SynthesizeRequest) { q.Volume = proto.Float32(0) }); slices.Max(mute) != 0 || len(mute) != len(plain) {
		t.Error("volume 0 is not silent")
	}
	if loud := request(func(q *gatewayv1.SynthesizeRequest) { q.Volume = proto.Float32(2) }); slices.Max(loud) != 32767 {
		t.Error("volume 2 clips nothing")
	}
	if varied := request(func(q *gatewayv1.SynthesizeRequest) { q.NoiseScale = proto.Float32(1) }); slices.Equal(varied, plain) {
		t.Error("noise_scale changes nothing")
	}
	if varied := request(func(q *gatewayv1.SynthesizeRequest) { q.NoiseW = proto.Float32(2) }); len(varied) == len(plain) {
		t.Error("noise_w does not change the length")
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
		"phonemes":         func(q *gatewayv1.SynthesizeRequest) { q.Input = nil },
	} {
		req := text("Hello")
		change(req)
		if _, err := say(t.Context(), m, req); errs.ReasonOf(err) != errs.InvalidRequest || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestGraphInputs checks that the graph gets the requested scales and speaker.
func TestGraphInputs(t *testing.T) {
	m := loadVoice(t, testVoice(t, "echo", speakers), map[string]any{"length_scale": 3})
	inputs := func(change func(*gatewayv1.SynthesizeRequest)) []float32 {
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
		if got := inputs(c.change); !slices.Equal(got, append(c.want, 1, 0, 2)) {
			t.Errorf("%s: the graph gets %v", name, got)
		}
	}
	_, err := say(t.Context(), m, &gatewayv1.SynthesizeRequest{
		Input: &gatewayv1.SynthesizeRequest_Text{Text: "Hi"}, Speaker: "20",
	})
	if errs.ReasonOf(err) != errs.InvalidRequest || !strings.Contains(err.Error(), "speakera") || !strings.Contains(err.Error(), "5 more") {
		t.Errorf("an unknown speaker: %v", err)
	}
}

// TestParametersArePassedOn checks that each parameter changes the options of a request
// that sets none, or the limit of its runs.
func TestParametersArePassedOn(t *testing.T) {
	// PassedOn appends "x" to the name of the speaker.
	voice := &voicefile.Config{Speakers: 2, SpeakerIDs: map[string]int64{"x": 1}, NoiseScale: 0.5, NoiseW: 0.5, LengthScale: 0.5}
	paramtest.PassedOn(t, settings.Defaults(), func(p settings.Parameters) any {
		text, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		from := &structpb.Struct{}
		if err := from.UnmarshalJSON(text); err != nil {
			t.Fatal(err)
		}
		read, err := readParameters(from, voice)
		if err != nil {
			t.Fatal(err)
		}
		o, err := read.optionsOf(voice, &gatewayv1.SynthesizeRequest{})
		if err != nil {
			t.Fatal(err)
		}
		return []any{o, read.limit(o)}
	}, nil)
}
