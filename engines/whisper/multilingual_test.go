package whisper

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/text/unicode/norm"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/engines/whisper/modelfile"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

const (
	englishTexts = 50256 // number of text tokens of the English vocabulary
	firstTime    = 50363 // id of the first time token of the English vocabulary
	firstLang    = 50259 // id of the first language token of the multilingual one
	languages    = 99
)

// multilingual writes the starter with the multilingual vocabulary, which has one more
// text token, so that the ids of all special tokens grow by one. The tokens of the
// languages get different vectors.
func multilingual(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(starter())
	if err != nil {
		t.Fatal(err)
	}
	header, err := modelfile.Read(starter())
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	put := func(v int) { _ = binary.Write(&b, binary.LittleEndian, int32(v)) }
	number := func(at int) int { return int(int32(binary.LittleEndian.Uint32(data[at:]))) }

	b.Write(data[:atVocabulary])
	put(header.Vocabulary + 1)
	at := 48 + 8 + header.Mels*201*4
	b.Write(data[atVocabulary+4 : at])
	texts := number(at)
	at += 4
	put(texts + 1)
	for i := range texts {
		if i == englishTexts {
			put(2)
			b.WriteString("+1")
		}
		next := at + 4 + number(at)
		b.Write(data[at:next])
		at = next
	}
	if texts <= englishTexts {
		put(2)
		b.WriteString("+1")
	}
	// The rows of the embedding are the vectors of the tokens.
	name := []byte("decoder.token_embedding.weight")
	from := bytes.Index(data, name)
	b.Write(data[at : from-4])
	put(header.Vocabulary + 1)
	b.Write(name)
	from += len(name)
	row := map[int]int{0: 4 * header.Width, 1: 2 * header.Width, 7: header.Width / 32 * 24, 8: header.Width / 32 * 34}[number(from-len(name)-12)]
	if row == 0 {
		t.Fatal("the type of the starter's matrices is not supported")
	}
	to := from + row*header.Vocabulary
	rows := append(append(bytes.Clone(data[from:from+englishTexts*row]), data[from:from+row]...), data[from+englishTexts*row:to]...)
	// Tokens that the starter was not trained with get the vectors of different times.
	copyRow := func(to, time int) {
		copy(rows[to*row:(to+1)*row], data[from+(firstTime+time)*row:])
	}
	for i := range languages + 2 { // languages, and the two tasks
		copyRow(firstLang+i, 10*i)
	}
	b.Write(rows)
	b.Write(data[to:])
	path := filepath.Join(t.TempDir(), "multilingual.bin")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLanguages(t *testing.T) {
	m := load(t, multilingual(t), nil)
	if n := m.weights.Languages(); !m.weights.Multilingual() || n != languages {
		t.Fatalf("%d languages, want %d", n, languages)
	}
	for _, language := range []string{"yue", "cantonese", "xx", "zh-"} {
		_, err := m.request(&gatewayv1.TranscriptionConfig{Language: language})
		if known := language == "zh-"; known != (err == nil) || !known && errs.ReasonOf(err) != errs.InvalidRequest {
			t.Errorf("language %q: %v", language, err)
		}
	}
	for alias, language := range map[string]string{"nb": "no", "jv": "jw", "fil-PH": "tl", "iw": "he", "VI": "vietnamese"} {
		a, errA := m.request(&gatewayv1.TranscriptionConfig{Language: alias})
		b, errB := m.request(&gatewayv1.TranscriptionConfig{Language: language})
		if errA != nil || errB != nil || a.options.Language != b.options.Language || a.detect {
			t.Errorf("%q is the language %d, %v; %q is %d, %v", alias, a.options.Language, errA, language, b.options.Language, errB)
		}
	}
}

// TestDecomposedPrompt checks that whisper gets the initial prompt in NFC, as it was
// trained.
func TestDecomposedPrompt(t *testing.T) {
	m := load(t, starter(), nil)
	const want = "Nguyễn, cà phê"
	got, err := m.request(&gatewayv1.TranscriptionConfig{InitialPrompt: norm.NFD.String(want)})
	if err != nil || got.options.InitialPrompt != norm.NFC.String(want) {
		t.Errorf("the prompt is %+q, %v", got.options.InitialPrompt, err)
	}
}

func TestMultilingualSameAsWhisperCLI(t *testing.T) {
	path := multilingual(t)
	m := load(t, path, map[string]any{"silence_threshold": 0})
	samples := speechSamples(t)
	texts := map[string]bool{}
	for name, c := range map[string]struct {
		config  *gatewayv1.TranscriptionConfig
		options []string
	}{
		"detected":   {&gatewayv1.TranscriptionConfig{}, []string{"-l", "auto"}},
		"Vietnamese": {&gatewayv1.TranscriptionConfig{Language: "vi"}, []string{"-l", "vi"}},
		"translated": {&gatewayv1.TranscriptionConfig{Language: "vi", Translate: true}, []string{"-l", "vi", "-tr"}},
	} {
		want := whisperCLI(t, path, samples, append(c.options, "-bs", "1")...)
		c.config.WordTimestamps = true
		got := final(t, m, c.config, wav(samples, 16000, 1))
		want.compareAnswer(t, got)
		if got.GetLanguage() != want.Result.Language {
			t.Errorf("%s: the language is %q, want %q", name, got.GetLanguage(), want.Result.Language)
		}
		if detects := c.config.GetLanguage() == ""; detects != (got.GetLanguageConfidence() > 0) {
			t.Errorf("%s: the language confidence is %g", name, got.GetLanguageConfidence())
		}
		texts[got.GetText()] = true
		t.Logf("%s: %s %g %q", name, got.GetLanguage(), got.GetLanguageConfidence(), got.GetText())
	}
	if len(texts) < 2 {
		t.Error("language and translation do not change the text, so the test compares nothing")
	}
}
