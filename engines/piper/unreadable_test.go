package piper

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/engines/piper/phonemes"
	"github.com/lexilingo/modelgateway/engines/piper/phonemiser"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// TestHostileText checks that texts that crash libespeak-ng 1.52 are spoken if they
// are ordinary, and spoken or refused if not.
func TestHostileText(t *testing.T) {
	for _, voice := range []string{"vi", "de", "hi"} {
		m := loadVoice(t, changedVoice(t, espeakVoice(voice)), map[string]any{"length_scale": 0.2})
		for _, s := range []string{`Anh nói: "-Chào".`, `"-a`, `(-a)`, `,-a`, `...-a`, `"-Chào anh", cô nói.`, `,-ạ`} {
			if len(sound(mustSay(t, m, text(s)))) == 0 {
				t.Errorf("%s, %q: no sound", voice, s)
			}
		}
		long := strings.Repeat("अनुच्छेदß", 150)
		if _, err := say(t.Context(), m, text(long)); err != nil && errs.ReasonOf(err) != errs.InvalidRequest {
			t.Errorf("%s, a long word: %v", voice, err)
		}
	}
}

// TestPhonemiserKilled checks that the running request and others succeed when the
// phonemiser's process is killed.
func TestPhonemiserKilled(t *testing.T) {
	m := loadVoice(t, starter(), map[string]any{"noise_scale": 0, "noise_w": 0})
	want := sound(mustSay(t, m, text("One. Two. Three.")))
	killed := false
	var out []*gatewayv1.SynthesizeResponse
	err := m.Synthesize(t.Context(), text("One. Two. Three."), func(r *gatewayv1.SynthesizeResponse) error {
		out = append(out, r)
		if killed {
			return nil
		}
		killed = true
		if err := syscall.Kill(phonemiserPID(t), syscall.SIGKILL); err != nil {
			t.Error(err)
		}
		if other := sound(mustSay(t, m, text("One. Two. Three."))); !slices.Equal(other, want) {
			t.Error("another request gives other samples")
		}
		return nil
	})
	if err != nil || !slices.Equal(sound(out), want) {
		t.Errorf("the running request gives other samples (%v)", err)
	}
}

// phonemiserPID returns the process id of the phonemiser, a child of this process.
func phonemiserPID(t *testing.T) int {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, stat := range stats {
		data, err := os.ReadFile(stat)
		fields := bytes.Fields(data[bytes.LastIndexByte(data, ')')+1:])
		if err != nil || len(fields) < 2 || string(fields[1]) != strconv.Itoa(os.Getpid()) || string(fields[0]) == "Z" {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(stat)))
		if err != nil {
			t.Fatal(err)
		}
		command, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err == nil && bytes.Contains(command, []byte("--phonemise")) {
			return pid
		}
	}
	t.Fatal("no phonemiser is running")
	return 0
}

// unreadable is a Phonemiser that fails on texts that contain mark.
type unreadable struct {
	phonemes.Phonemiser
	mark string
}

// Translate implements phonemes.Phonemiser.
func (u unreadable) Translate(ctx context.Context, voice, text string) ([]phonemes.Translation, error) {
	if strings.Contains(text, u.mark) {
		return nil, phonemiser.ErrUnreadable
	}
	return u.Phonemiser.Translate(ctx, voice, text)
}

// TestUnreadable checks that a text that the phonemiser cannot read is an error of
// the caller, and that a sentence is spoken without times of words if one of its
// words cannot be read separately.
func TestUnreadable(t *testing.T) {
	m := loadVoice(t, starter(), nil)
	original := m.translate
	m.translate = unreadable{original, "Hello"}
	_, err := say(t.Context(), m, text("Hello there."))
	if errs.ReasonOf(err) != errs.InvalidRequest || !strings.Contains(err.Error(), "espeak-ng") || !strings.Contains(err.Error(), "en-us") {
		t.Errorf("an unreadable text: %v", err)
	}
	sentences, err := phonemes.FromText(t.Context(), original, m.voice.config, "It costs $3.50.")
	if err != nil {
		t.Fatal(err)
	}
	m.translate = unreadable{original, "$3.50"}
	ids := phonemes.ToIDs(m.voice.config, sentences[0].Symbols)
	if words, err := m.words(t.Context(), sentences[0], ids, make([]int, len(ids.Values))); err != nil || words != nil {
		t.Errorf("an unreadable word: %v, %v", words, err)
	}
}
