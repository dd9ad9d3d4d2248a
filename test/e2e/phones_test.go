package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/models/modelstest"
)

// What telephones and browsers record as AAC or Vorbis has the transcript of the same
// speech as WAV.
func TestRecordingsOfPhones(t *testing.T) {
	whisper := modelstest.Path(t, "whisper-tiny.en")
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("the speech is encoded by ffmpeg, which is not installed")
	}
	s := start(t, "models:\n  whisper: {engine: whisper, path: "+whisper+"}\ntasks:\n  transcribe: {primary: whisper}\n")
	module, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/ggerganov/whisper.cpp/bindings/go").Output()
	if err != nil {
		t.Fatal(err)
	}
	speech := filepath.Join(strings.TrimSpace(string(module)), "samples", "jfk.wav")
	hear := func(t *testing.T, data []byte) string {
		t.Helper()
		res, err := s.recognize(within(t, patience), &gatewayv1.TranscriptionConfig{}, data)
		if err != nil {
			t.Fatal(err)
		}
		return letters(res.GetTranscript().GetText())
	}
	wav, err := os.ReadFile(speech)
	if err != nil {
		t.Fatal(err)
	}
	want := hear(t, wav)
	if want != letters(kennedy) {
		t.Fatalf("WAV: %q", want)
	}
	const fragments = "frag_keyframe+empty_moov+default_base_moof"
	var last []byte
	for name, options := range map[string][]string{
		"iphone.m4a":    {"-ar", "44100", "-ac", "1", "-b:a", "64k"},
		"stereo.m4a":    {"-ar", "48000", "-ac", "2", "-b:a", "128k"},
		"web.mp4":       {"-ar", "44100", "-ac", "2", "-movflags", "+faststart"},
		"fragments.mp4": {"-ar", "44100", "-ac", "2", "-movflags", fragments, "-frag_duration", "1000000"},
		"safari.mp4":    {"-ar", "48000", "-ac", "1", "-movflags", fragments, "-frag_duration", "250000"},
		"video.mov":     {"-ar", "48000", "-ac", "1"},
		"radio.aac":     {"-ar", "44100", "-ac", "2"},
		"vorbis.ogg":    {"-c:a", "libvorbis", "-ar", "44100", "-ac", "2"},
		"vorbis.webm":   {"-c:a", "libvorbis", "-ar", "48000", "-ac", "1"},
		"vorbis.mkv":    {"-c:a", "libvorbis", "-q:a", "1", "-ar", "16000", "-ac", "1"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), name)
			args := append(append([]string{"-loglevel", "error", "-i", speech, "-c:a", "aac"}, options...), file)
			if out, err := exec.CommandContext(t.Context(), "ffmpeg", args...).CombinedOutput(); err != nil {
				t.Fatalf("ffmpeg: %v\n%s", err, out)
			}
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got := hear(t, data); got != want {
				t.Errorf("%q, want %q", got, want)
			}
			if name == "iphone.m4a" {
				last = data
			}
		})
	}
	_, err = s.recognize(within(t, patience), &gatewayv1.TranscriptionConfig{}, last[:len(last)-100])
	if errs.ReasonOf(err) != errs.AudioUnreadable {
		t.Errorf("without its end: %v", err)
	}
}
