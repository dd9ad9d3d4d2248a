package whisper

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/models/modelstest"
)

// librivox is the folder of read sentences in Debian's package pocketsphinx-testdata.
const librivox = "/usr/share/pocketsphinx/test/data/librivox/sense_and_sensibility_01_austen_64kb-"

// readSentence returns the samples of a read sentence.
func readSentence(t *testing.T, number string) []float32 {
	t.Helper()
	data, err := os.ReadFile(librivox + number + ".wav")
	if err != nil {
		t.Skipf("people's speech is in Debian's package pocketsphinx-testdata: %v", err)
	}
	return decode(t, data)
}

// paced is audio that arrives in pieces: each after an interim result about the one before.
// A piece is longer than the time between interim results, because the last of its audio may
// wait for more.
func paced(samples []float32) *source {
	gate := make(chan struct{}, 1)
	gate <- struct{}{}
	return &source{data: pcm(samples), piece: 2 * pieceSamples, gate: gate}
}

const pieceSamples = 16000 * 5 / 4

// A published model hears two people in turn. What it has committed never changes, also
// when the beginning of a long stream becomes final, and the text is that of the whole
// recording or nearly so.
func TestLiveSpeechOfPeople(t *testing.T) {
	m := load(t, modelstest.Path(t, "whisper-tiny.en"), nil)
	speech := slices.Concat(readSentence(t, "0930"), personSamples(t), readSentence(t, "0880"))
	in := paced(speech)
	var events []*gatewayv1.TranscriptionEvent
	err := m.Transcribe(t.Context(), &gatewayv1.TranscriptionConfig{Format: rawFormat(), InterimResults: true}, in, func(e *gatewayv1.TranscriptionEvent) error {
		events = append(events, e)
		if e.GetInterim() != nil {
			select {
			case in.gate <- struct{}{}:
			default: // there are more interim results than pieces
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if interims := checkStream(t, events); interims < len(speech)/pieceSamples {
		t.Errorf("%d interim results about %d pieces", interims, len(speech)/pieceSamples)
	}
	final := events[len(events)-1].GetFinal()
	first := slices.IndexFunc(events, func(e *gatewayv1.TranscriptionEvent) bool { return e.GetSegment() != nil })
	if last := slices.IndexFunc(events[max(0, first):], func(e *gatewayv1.TranscriptionEvent) bool { return e.GetInterim() != nil }); first < 0 || last < 0 {
		t.Error("no segment became final before the end")
	}
	for _, part := range []string{"made amiable himself", "what your country can do for you", "young man"} {
		if !strings.Contains(plainWords(final.GetText()), plainWords(part)) {
			t.Errorf("%q is not in %q", part, final.GetText())
		}
	}
}

// plainWords returns the words of a text without case and punctuation.
func plainWords(text string) string {
	return strings.Join(strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return r < 'a' || r > 'z' }), " ")
}

// The same speech in every format has the same text.
func TestFormatsHaveTheSameText(t *testing.T) {
	m := load(t, modelstest.Path(t, "whisper-tiny.en"), nil)
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("the speech is encoded by ffmpeg, which is not installed")
	}
	const want = "and so my fellow americans ask not what your country can do for you ask what you can do for your country"
	for name, options := range map[string][]string{
		"pcm.wav": {"-c:a", "pcm_s16le"}, "mulaw.wav": {"-c:a", "pcm_mulaw"}, "alaw.wav": {"-c:a", "pcm_alaw"},
		"stereo.flac": {"-ac", "2", "-ar", "44100"},
		"speech.opus": {"-c:a", "libopus", "-b:a", "24k"}, "speech.webm": {"-c:a", "libopus", "-b:a", "32k"},
		"speech.mp3": {"-c:a", "libmp3lame", "-b:a", "64k", "-ar", "44100"}, "low.mp3": {"-c:a", "libmp3lame", "-b:a", "32k"},
	} {
		t.Run(name, func(t *testing.T) {
			encoded := filepath.Join(t.TempDir(), name)
			args := append(append([]string{"-loglevel", "error", "-i", personFile(t)}, options...), encoded)
			if out, err := exec.CommandContext(t.Context(), "ffmpeg", args...).CombinedOutput(); err != nil {
				t.Fatalf("ffmpeg: %v\n%s", err, out)
			}
			data, err := os.ReadFile(encoded)
			if err != nil {
				t.Fatal(err)
			}
			if got := final(t, m, &gatewayv1.TranscriptionConfig{}, data); plainWords(got.GetText()) != want {
				t.Errorf("%q, want %q", got.GetText(), want)
			}
		})
	}
}

// Short recordings of people have their words with a shortened context too, and do not
// run away: with 256 positions, tiny.en computed 557 graphs for the first one.
func TestShortContextHearsPeople(t *testing.T) {
	m := load(t, modelstest.Path(t, "whisper-tiny.en"), map[string]any{"audio_ctx": "short"})
	raw, err := os.ReadFile(filepath.Join(filepath.Dir(librivox), "..", "goforward.raw"))
	if err != nil {
		t.Skipf("people's speech is in Debian's package pocketsphinx-testdata: %v", err)
	}
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"2.4 s": {raw[:2*2400*16], "go forward"},
		"3 s":   {pcm(readSentence(t, "0880")), "young man"},
	} {
		before := m.work.Count()
		got := final(t, m, &gatewayv1.TranscriptionConfig{Format: rawFormat()}, c.data)
		if words := len(strings.Fields(got.GetText())); !strings.Contains(plainWords(got.GetText()), c.want) || words > 12 {
			t.Errorf("%s: %q, want %q and few words more", name, got.GetText(), c.want)
		}
		const enough = 200 // a graph for each token, some for the encoder, and retries
		if work := m.work.Count() - before; work > enough {
			t.Errorf("%s: %d graphs, want at most %d", name, work, enough)
		}
	}
}
