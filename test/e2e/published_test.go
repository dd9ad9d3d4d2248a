package e2e

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/models/modelstest"
)

// What Kennedy says in whisper.cpp's sample.
const kennedy = "And so my fellow Americans, ask not what your country can do for you, ask what you can do for your country."

// A newcomer's first minutes: with downloaded models beside the built-in
// configuration, the server understands a person, and itself in a person's voice.
func TestDownloadedModelsServe(t *testing.T) {
	whisper, voice := modelstest.Path(t, "whisper-base"), modelstest.Path(t, "en_US-joe-medium")
	dir := filepath.Dir(filepath.Dir(whisper))
	s := start(t, "models_dir: "+dir+"\n")
	cli := func(args ...string) string {
		t.Helper()
		return strings.TrimSpace(output(t, nil, program(t), append([]string{"--addr", s.grpc}, args...)...))
	}
	clip := modelstest.Speech(t)
	if got := cli("transcribe", clip); letters(got) != letters(kennedy) {
		t.Errorf("heard %q", got)
	}
	said := filepath.Join(t.TempDir(), "said.wav")
	cli("synthesize", "-o", said, kennedy)
	if got := cli("transcribe", said); letters(got) != letters(kennedy) {
		t.Errorf("of the downloaded voice, heard %q", got)
	}
	for name, file := range map[string]string{"whisper": whisper, "piper": voice} {
		m := s.model(t, name)
		if m.GetState() != gatewayv1.ModelState_MODEL_STATE_READY || !strings.Contains(m.GetNote(), filepath.Base(file)+" was found") {
			t.Errorf("%s is %s: %s", name, m.GetState(), m.GetNote())
		}
	}
}

// letters returns the letters of a text in lower case.
func letters(text string) string {
	return strings.Map(func(r rune) rune {
		if r < 'a' || r > 'z' {
			return -1
		}
		return r
	}, strings.ToLower(text))
}

// thirtySentences are what learners say and hear, in three texts.
var thirtySentences = []string{
	"Good morning, everyone, and welcome to our English class. Please open your books and read the first story. " +
		"My sister works in a hospital near the river. We usually have lunch together at noon. " +
		"Could you tell me the way to the train station? I have never been to London, but I would like to go. " +
		"The weather was cold and windy yesterday. She bought a new coat because it was snowing. " +
		"How long have you been learning English? They are going to visit their grandparents next weekend.",
	"My favourite subject at school is history. I forgot my umbrella, so I got very wet. " +
		"Would you like some coffee or a cup of tea? The children were playing football in the park. " +
		"He speaks slowly because he wants everyone to understand. I think we should take a taxi to the airport. " +
		"What did you do last summer? This restaurant is famous for its fresh fish. " +
		"Don't worry, you will do better next time. It takes about half an hour to walk there.",
	"The museum is closed on Mondays. If it rains tomorrow, we will stay at home. " +
		"I would rather watch a film than play computer games. Her brother is taller than her father. " +
		"There is a small garden behind the house. Have you finished your homework yet? " +
		"The bus was late again this morning. Thank you very much for your help. " +
		"We need bread, milk and some apples from the market. I am looking forward to hearing from you.",
}

// The downloaded speech to text understands the downloaded voice: of a hundred
// words, at most five are wrong. The time is printed.
func TestDownloadedVoiceIsUnderstood(t *testing.T) {
	dir := filepath.Dir(filepath.Dir(modelstest.Path(t, "whisper-base")))
	modelstest.Path(t, "en_US-joe-medium")
	s := start(t, "models_dir: "+dir+"\n")
	started, wrong, said := time.Now(), 0, 0
	for i, text := range thirtySentences {
		file := filepath.Join(t.TempDir(), "said.wav")
		output(t, nil, program(t), "--addr", s.grpc, "synthesize", "--noise-scale=0", "--noise-w=0", "-o", file, text)
		heard := output(t, nil, program(t), "--addr", s.grpc, "transcribe", file)
		errors := wordErrors(wordsOf(text), wordsOf(heard))
		if errors > 0 {
			t.Logf("text %d, %d words wrong: %s", i+1, errors, heard)
		}
		wrong, said = wrong+errors, said+len(wordsOf(text))
	}
	t.Logf("%d of %d words are wrong; saying and hearing them took %s", wrong, said, time.Since(started).Round(time.Second))
	if wrong*20 > said {
		t.Errorf("%d of %d words are wrong, more than 5 %%", wrong, said)
	}
}

func wordsOf(text string) []string {
	return strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return r != '\'' && (r < 'a' || r > 'z') })
}

// wordErrors returns how many words must be inserted, removed or replaced to make one
// text of the other.
func wordErrors(want, got []string) int {
	row := make([]int, len(got)+1)
	for i := range row {
		row[i] = i
	}
	for i, w := range want {
		diagonal := row[0]
		row[0] = i + 1
		for j, g := range got {
			changed := diagonal
			if w != g {
				changed++
			}
			diagonal = row[j+1]
			row[j+1] = min(changed, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(got)]
}
