package hubert

import (
	"bytes"
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lexilingo/modelgateway/engines/audio"
	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/engines/onnx"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// TestReading checks the complete way from samples to scores, with a model that
// recognises tones.
func TestReading(t *testing.T) {
	m := load(t, folder(t, "tones.onnx", published()), nil)
	for name, c := range map[string]struct{ text, said, want string }{
		"right":                    {"Hello, all cats!", "hello all cats", "Hello all cats"},
		"a word dropped":           {"The big cat sat.", "the cat sat", "The -big cat sat"},
		"a word inserted":          {"The cat sat.", "the big cat sat", "The +big cat sat"},
		"a word wrong":             {"The cat sat.", "the dogs sat", "The -cat +dogs sat"},
		"a word mispronounced":     {"A bright day", "a brognd day", "A !bright day"},
		"digits":                   {"I have 25 cats", "i have twenty five cats", "I have 25 cats"},
		"a year, the other way":    {"In 2024", "in two thousand and twenty four", "In 2024"},
		"a part of digits dropped": {"25 cats", "five cats", "!25 cats"},
		"abbreviations":            {"Mr. Smith & Dr. Lee", "mister smith and doctor lee", "Mr. Smith & Dr. Lee"},
		"an apostrophe":            {"Don’t stop", "don't stop", "Don't stop"},
		"marks":                    {"Café Đà Nẵng", "cafe da nang", "Café Đà Nẵng"},
		"not judged":               {"I love 東京 now", "i love tokyo now", "I love ~東京 now"},
		"silence":                  {"The cat sat", "____________", "-The -cat -sat"},
		"another text":             {"My old friend", "quick buzz jug", "-My -old -friend +quick +buzz +jug"},
	} {
		t.Run(name, func(t *testing.T) {
			resp := ask(t, m, c.text, c.said)
			if got := summary(resp); got != c.want {
				t.Errorf("%q read as %q gives %q, want %q", c.text, c.said, got, c.want)
			}
			if resp.GetUnit() != gatewayv1.PronunciationUnit_PRONUNCIATION_UNIT_LETTER || resp.GetEstimated() {
				t.Errorf("the unit is %v, estimated %v", resp.GetUnit(), resp.GetEstimated())
			}
		})
	}
}

// TestReadingsOfTeachers checks that every reading of a number that a teacher accepts is
// right, and that others are not.
func TestReadingsOfTeachers(t *testing.T) {
	m := load(t, folder(t, "tones.onnx", published()), nil)
	for text, c := range map[string]struct{ right, wrong string }{
		"a 5G phone":       {"a five g phone|a five grams phone", "a four g phone"},
		"open 24/7":        {"open twenty four seven", "open twenty five seven"},
		"I got 8/10":       {"i got eight out of ten|i got eight tenths|i got eight over ten", "i got nine out of ten"},
		"in 10-15 days":    {"in ten to fifteen days|in ten fifteen days", "in ten to fifty days"},
		"we won 3-0":       {"we won three nil|we won three zero", "we won three one"},
		"it is 50,000₫":    {"it is fifty thousand dong", "it is fifty thousand"},
		"it is 50.000đ":    {"it is fifty thousand dong", "it is fifty"},
		"for 100 VND":      {"for one hundred dong|for a hundred v n d", "for one hundred"},
		"it is $5":         {"it is five dollars", "it is five dollar"},
		"it is 5€ now":     {"it is five euros now", "it is five now"},
		"at 3pm":           {"at three p m", "at three a m"},
		"at 7:30":          {"at seven thirty|at half past seven", "at seven thirteen"},
		"in 1905":          {"in nineteen oh five|in nineteen hundred and five", "in nineteen five"},
		"on 20/11/2024":    {"on the twentieth of november twenty twenty four|on november twentieth two thousand and twenty four", "on the twenty first of november twenty twenty four"},
		"on May 5":         {"on may fifth|on may five|on may the fifth", "on may fifteen"},
		"Henry VIII":       {"henry the eighth", "henry the seventh"},
		"½ or 1.5 kg":      {"a half or one and a half kilograms|one half or one point five kilos", "a half or one and a third kilograms"},
		"an MP3 file":      {"an m p three file", "an m p four file"},
		"call 090-123-456": {"call oh nine oh one two three four five six", "call oh nine oh one two three four five"},
	} {
		for _, said := range strings.Split(c.right, "|") {
			for _, w := range ask(t, m, text, said).GetWords() {
				if w.GetScore() < 90 {
					t.Errorf("%q read as %q: %q has %v and %v", text, said, w.GetText(), w.GetScore(), w.GetErrorType())
				}
			}
		}
		worst := float32(100)
		for _, w := range ask(t, m, text, c.wrong).GetWords() {
			worst = min(worst, w.GetScore())
		}
		if worst >= 90 {
			t.Errorf("%q read as %q has no mistake", text, c.wrong)
		}
	}
}

func TestScoresAndTimes(t *testing.T) {
	m := load(t, folder(t, "tones.onnx", published()), nil)
	right := ask(t, m, "the cat sat down", "___the cat sat down")
	if right.GetOverallScore() < 95 || right.GetAccuracyScore() < 95 || right.GetFluencyScore() < 95 || right.GetCompletenessScore() != 100 {
		t.Errorf("a right reading has %v", right)
	}
	// 0.3 s of silence, and 0.1 s for each letter and boundary.
	cat := right.GetWords()[1]
	if s, e := seconds(cat.GetStart()), seconds(cat.GetEnd()); math.Abs(s-0.7) > 0.04 || math.Abs(e-0.96) > 0.06 {
		t.Errorf("cat lasts from %v to %v", s, e)
	}
	if u := cat.GetUnits()[1]; u.GetSymbol() != "A" || u.GetScore() < 95 || u.GetHeard() != "" || math.Abs(seconds(u.GetStart())-0.8) > 0.04 {
		t.Errorf("its second letter is %v", u)
	}
	wrong := ask(t, m, "the cat sat down", "the cut sat down")
	if u := wrong.GetWords()[1].GetUnits()[1]; u.GetHeard() != "U" || u.GetScore() > 10 {
		t.Errorf("U for A is %v", u)
	}
	if wrong.GetWords()[1].GetScore() >= cat.GetScore() || wrong.GetOverallScore() >= right.GetOverallScore() {
		t.Errorf("wrong: %v, right: %v", wrong, right)
	}
	dropped := ask(t, m, "the cat sat down", "the cat down")
	if w := dropped.GetWords()[2]; w.GetStart() != nil || w.GetEnd() != nil || w.GetScore() != 0 || dropped.GetCompletenessScore() != 75 {
		t.Errorf("a dropped word: %v", dropped)
	}
	silent := ask(t, m, "the cat", "__________")
	if silent.GetOverallScore()+silent.GetAccuracyScore()+silent.GetFluencyScore()+silent.GetCompletenessScore() != 0 {
		t.Errorf("silence has %v", silent)
	}
	short, err := m.Pronunciation(t.Context(), request("the cat sat", whistle("t")[:100]))
	if err != nil || summary(short) != "-the -cat -sat" {
		t.Errorf("100 samples: %v, %v", short, err)
	}
	if other := ask(t, m, "my old friend", "quick buzz jug"); other.GetOverallScore() > 5 {
		t.Errorf("another text has %v", other)
	}
}

func TestMeasuresAgreeOnRightAndWrong(t *testing.T) {
	dir := folder(t, "tones.onnx", published())
	for measure := range measures() {
		m := load(t, dir, map[string]any{"gop": measure})
		right, wrong := ask(t, m, "the cat sat", "the cat sat"), ask(t, m, "the cat sat", "the cut sat")
		if right.GetWords()[1].GetScore() < 90 || wrong.GetWords()[1].GetScore() > 75 {
			t.Errorf("%s: right %v, wrong %v", measure, right.GetWords()[1].GetScore(), wrong.GetWords()[1].GetScore())
		}
	}
}

func TestPhonemes(t *testing.T) {
	dir := folder(t, "tones.onnx", arpabet())
	writeFile(t, dir+"/lexicon.txt", []byte(";;; a comment\nCAT  K AE1 T\nSAT  S AE1 T\nREAD  R EH1 D\nREAD(2)  R IY1 D\nZHU  ZH UW1\n"))
	m := load(t, dir, nil)
	// In this vocabulary, these letters have the tones of the phonemes.
	sound := func(phonemes string) string {
		var text string
		for _, p := range strings.Fields(phonemes) {
			text += published()[slices.Index(arpabet(), p)]
		}
		return strings.ReplaceAll(text, "|", " ")
	}
	for said, want := range map[string]string{
		"K AE T R IY D": "cat read",
		"K AE T R EH D": "cat read",
		"R IY D":        "-cat read",
	} {
		resp := ask(t, m, "cat read", sound(said))
		if got := summary(resp); got != want || resp.GetUnit() != gatewayv1.PronunciationUnit_PRONUNCIATION_UNIT_PHONEME {
			t.Errorf("%q gives %q of %v", said, got, resp.GetUnit())
		}
	}
	resp := ask(t, m, "cat Xyzzy sat", sound("K AE T D AA D S AE T"))
	if got := summary(resp); got != "cat ~Xyzzy sat" {
		t.Errorf("with a word that is not in the dictionary: %q", got)
	}
	if u := resp.GetWords()[0].GetUnits(); len(u) != 3 || u[1].GetSymbol() != "AE" {
		t.Errorf("its units are %v", u)
	}
	_, err := m.Pronunciation(t.Context(), request("Xyzzy!", whistle("a")))
	if errs.ReasonOf(err) != errs.InvalidRequest || !strings.Contains(err.Error(), "Xyzzy") {
		t.Errorf("no word in the dictionary: %v", err)
	}
}

// TestWindows checks that windows give the same as one run, with a model that uses
// only one frame at a time.
func TestWindows(t *testing.T) {
	dir := folder(t, "tones.onnx", published())
	text := strings.TrimSpace(strings.Repeat("the quick brown fox jumps over the lazy dog ", 4))
	samples := whistle(text)
	whole, windows := load(t, dir, map[string]any{"window_seconds": 600}), load(t, dir, map[string]any{"window_seconds": 5})
	count := func(m *model) (logits []float32, runs int) {
		outputs, err := m.network.outputsOf(t.Context(), samples, func(limit time.Duration) func() {
			// The length of the window counts, not that of the clip.
			if most := time.Minute + time.Duration(30*m.parameters.WindowSeconds)*time.Second; limit <= time.Minute || limit > most {
				t.Errorf("a window counts as progress for %v, want at most %v", limit, most)
			}
			return func() { runs++ }
		})
		if err != nil {
			t.Fatal(err)
		}
		return outputs.Logits, runs
	}
	one, n := count(whole)
	many, more := count(windows)
	if n != 1 || more < 10 || len(one) != len(many) {
		t.Fatalf("%d logits in %d run, %d in %d", len(one), n, len(many), more)
	}
	for i := range one {
		if math.Abs(float64(one[i]-many[i])) > 1e-3 {
			t.Fatalf("logit %d of frame %d is %v in one run, %v in windows", i%32, i/32, one[i], many[i])
		}
	}
	if resp := ask(t, windows, text, text); resp.GetCompletenessScore() != 100 || resp.GetAccuracyScore() < 95 {
		t.Errorf("a long text in windows has %v %v", resp.GetCompletenessScore(), resp.GetAccuracyScore())
	}
}

// TestFrameCounts compares the number of frames of HuBERT's and wav2vec 2.0's
// feature extractor with its formula, for every length of two periods.
func TestFrameCounts(t *testing.T) {
	m := load(t, starter, nil)
	samples := make([]float32, 4000)
	for i := range samples {
		samples[i] = float32(i%7) - 3
	}
	for n := 400; n <= 1040; n++ {
		_, frames, err := m.network.run(t.Context(), samples[:n])
		if err != nil {
			t.Fatalf("%d samples: %v", n, err)
		}
		length := n
		for i, kernel := range []int{10, 3, 3, 3, 3, 2, 2} {
			length = (length-kernel)/[]int{5, 2, 2, 2, 2, 2, 2}[i] + 1
		}
		if frames != length || frames != (n-400)/320+1 {
			t.Fatalf("%d samples give %d frames, want %d", n, frames, length)
		}
	}
	if m.network.stride != 320 || m.network.least < 400 || m.network.outputs != 40 {
		t.Errorf("a frame stands for %d samples, the least is %d, of %d symbols", m.network.stride, m.network.least, m.network.outputs)
	}
}

// TestStarter checks that audio without speech gets a complete answer too.
func TestStarter(t *testing.T) {
	m := load(t, starter, nil)
	if d := m.Description(); !strings.Contains(d, "40 symbols (phonemes)") || !strings.Contains(d, "20ms") {
		t.Errorf("the description is %q", d)
	}
	resp := ask(t, m, "The cat sat on the mat.", "the cat sat on the mat")
	reference := 0
	for _, w := range resp.GetWords() {
		if w.GetErrorType() != gatewayv1.PronunciationErrorType_PRONUNCIATION_ERROR_TYPE_INSERTION {
			reference++
		}
	}
	if reference != 6 {
		t.Errorf("of 6 words, %d come back: %s", reference, summary(resp))
	}
}

func TestRefusals(t *testing.T) {
	m := load(t, folder(t, "tones.onnx", published()), map[string]any{"max_seconds": 3})
	good := whistle("the cat")
	for name, c := range map[string]struct {
		request *gatewayv1.PronunciationRequest
		reason  errs.Reason
		says    string
	}{
		"no text":           {request("", good), errs.InvalidRequest, "no words"},
		"only punctuation":  {request("... — !", good), errs.InvalidRequest, "no words"},
		"only foreign":      {request("東京 大阪", good), errs.InvalidRequest, "東京"},
		"endless text":      {request(strings.Repeat("a ", 2000), good), errs.InvalidRequest, "2000"},
		"too long":          {request("the cat", make([]float32, 600*audio.SampleRate)), errs.InvalidRequest, "3"},
		"no audio":          {&gatewayv1.PronunciationRequest{ReferenceText: "a"}, errs.AudioUnreadable, ""},
		"garbage for audio": {&gatewayv1.PronunciationRequest{ReferenceText: "a", Audio: bytes.Repeat([]byte("garbage"), 99)}, errs.AudioUnreadable, ""},
	} {
		_, err := m.Pronunciation(t.Context(), c.request)
		if errs.ReasonOf(err) != c.reason || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := summary(ask(t, m, "the cat", "the cat")); got != "the cat" {
		t.Errorf("after them: %q", got)
	}
}

// TestCancel cancels while the network runs.
func TestCancel(t *testing.T) {
	m := load(t, folder(t, "slow.onnx", published()), nil)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err := m.Pronunciation(ctx, request("the cat", make([]float32, 50*audio.SampleRate)))
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a cancelled request: %v", err)
	}
	if got := summary(ask(t, m, "the cat", "the cat")); got != "the cat" {
		t.Errorf("after it: %q", got)
	}
}

func TestAttentionMask(t *testing.T) {
	m := load(t, folder(t, "masked.onnx", published()), nil)
	if got := summary(ask(t, m, "the cat", "the cat")); got != "the cat" {
		t.Errorf("with a mask: %q", got)
	}
}

func TestPrepare(t *testing.T) {
	n := &network{normalize: true, least: 640}
	out := n.prepare([]float32{1, 2, 3, 4})
	var sum, squares float64
	for _, x := range out[:4] {
		sum += float64(x)
		squares += float64(x) * float64(x)
	}
	if len(out) != 640 || out[5] != 0 || math.Abs(sum) > 1e-5 || math.Abs(squares/4-1) > 1e-5 {
		t.Errorf("prepared to %v", out[:6])
	}
	for _, x := range n.prepare(make([]float32, 1000)) {
		if x != 0 {
			t.Fatal("silence is not silent any more")
		}
	}
	n.normalize = false
	if out := n.prepare([]float32{1, 2}); out[0] != 1 || out[1] != 2 {
		t.Errorf("unwanted normalisation: %v", out[:2])
	}
}

func TestDescribe(t *testing.T) {
	d := New().Describe()
	if d.Name != Name || d.Libraries["onnxruntime"] == "" || d.Devices[0] != onnx.DeviceCPU {
		t.Errorf("described as %+v", d)
	}
}
