package e2e

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/models/modelstest"
)

// alignedTexts are what is spoken with word times.
var alignedTexts = []string{
	"Good morning, everyone, and welcome to our English class. Please open your books and read the first story.",
	"Dr. Smith paid $5.50 for 25 apples. It is 7:15, and on May 5 he was 100% sure!",
	"We need bread, milk & some apples from the market — e.g. in St. Mary's street. I am looking forward to hearing from you.",
}

// aligningModels begins a configuration in which words are aligned on a slow machine, too.
const aligningModels = "limits: {slow_reader_timeout: 600s}\nmodels:"

// spokenWords speaks a text and returns its words.
func spokenWords(t *testing.T, s *server, model, text string, as ...*gatewayv1.SpeechOutput) []*gatewayv1.SpokenWord {
	t.Helper()
	req := quiet(text)
	req.Model, req.AlignWords = model, true
	for _, output := range as {
		req.Output = output
	}
	stream, err := s.models.Synthesize(within(t, patience), req)
	if err != nil {
		t.Fatal(err)
	}
	var words []*gatewayv1.SpokenWord
	for {
		m, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		words = append(words, m.GetWords()...)
		if by := m.GetServedBy(); by != nil {
			if strings.Contains(by.GetWarning(), "no times") {
				t.Errorf("%s: %s", model, by.GetWarning())
			}
			return words
		}
	}
}

func sameWord(a, b *gatewayv1.SpokenWord) bool { return a.String() == b.String() }

// texts returns the texts of words.
func texts(words []*gatewayv1.SpokenWord) []string {
	var out []string
	for _, w := range words {
		out = append(out, w.GetText())
	}
	return out
}

// The words of a voice without times are aligned. They are those that the voice itself
// gives with its times, and near them. Everything is computed without random numbers, so
// the differences do not depend on the machine: their medians are 37 and 21 ms, see
// bench/words.
func TestAlignedWordsAreNearTheVoicesOwn(t *testing.T) {
	const starter = "../../models/starter/voice.onnx"
	dir := t.TempDir()
	silent, patched := filepath.Join(dir, "silent.onnx"), filepath.Join(dir, "patched.onnx")
	for to, change := range map[string]func(voice, to string) error{silent: modelstest.WithoutDurations, patched: modelstest.PatchedDurations} {
		if err := change(starter, to); err != nil {
			t.Fatal(err)
		}
	}
	s := start(t, strings.Replace(speechModels, "models:\n", fmt.Sprintf(aligningModels+`
  silent: {engine: piper, path: %q, memory_mb: 128, threads: 1}
  patched: {engine: piper, path: %q, memory_mb: 128, threads: 1}
`, silent, patched), 1))
	var differences []time.Duration
	for _, text := range alignedTexts {
		own, aligned := spokenWords(t, s, "piper", text), spokenWords(t, s, "silent", text)
		if !slices.Equal(texts(own), texts(aligned)) {
			t.Errorf("aligned %q, the voice gives %q", texts(aligned), texts(own))
			continue
		}
		if same := spokenWords(t, s, "patched", text); !slices.EqualFunc(same, own, sameWord) {
			t.Errorf("of a patched voice %v, want %v", same, own)
		}
		mp3 := &gatewayv1.SpeechOutput{Encoding: gatewayv1.AudioEncoding_AUDIO_ENCODING_MP3}
		if same := spokenWords(t, s, "silent", text, mp3); !slices.EqualFunc(same, aligned, sameWord) {
			t.Errorf("of MP3 %v, want %v", same, aligned)
		}
		for i, w := range aligned {
			if !w.GetAligned() || own[i].GetAligned() {
				t.Errorf("%v and %v: only the first is aligned", w, own[i])
			}
			differences = append(differences, (w.GetStart().AsDuration() - own[i].GetStart().AsDuration()).Abs(),
				(w.GetEnd().AsDuration() - own[i].GetEnd().AsDuration()).Abs())
		}
	}
	if len(differences) == 0 {
		t.Fatal("no words")
	}
	slices.Sort(differences)
	if median, most := differences[len(differences)/2], differences[len(differences)*9/10]; median > 60*time.Millisecond || most > 150*time.Millisecond {
		t.Errorf("half of the times are within %s of the voice's own, nine tenths within %s", median, most)
	}

	out := output(t, nil, program(t), "--addr", s.grpc, "synthesize", "--json", "--align-words", "-m", "silent", "-o", filepath.Join(dir, "said.wav"), spoken)
	var printed []string
	for line := range strings.Lines(out) {
		m := &gatewayv1.SynthesizeResponse{}
		if err := protojson.Unmarshal([]byte(line), m); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		printed = append(printed, texts(m.GetWords())...)
	}
	if got := strings.Join(printed, " "); got+"." != spoken {
		t.Errorf("the command line printed the words %q", got)
	}
}

// The words of the published voice joe, which gives no times, are aligned with the
// starter model for pronunciation.
func TestPublishedVoiceHasAlignedWords(t *testing.T) {
	voice := modelstest.Path(t, "en_US-joe-medium")
	s := start(t, strings.Replace(speechModels, "models:\n", fmt.Sprintf(aligningModels+"\n  joe: {engine: piper, path: %q, threads: 1}\n", voice), 1))
	for _, text := range thirtySentences[:1] {
		words := spokenWords(t, s, "joe", text)
		var want []string
		for _, field := range strings.Fields(text) {
			want = append(want, strings.Trim(field, ".,?!"))
		}
		if !slices.Equal(texts(words), want) {
			t.Errorf("the words %q, want %q", texts(words), want)
		}
		last := time.Duration(0)
		for _, w := range words {
			if !w.GetAligned() || w.GetStart().AsDuration() < last || w.GetEnd().AsDuration() > w.GetStart().AsDuration()+2*time.Second {
				t.Errorf("%v after %s", w, last)
			}
			last = w.GetEnd().AsDuration()
		}
	}
}
