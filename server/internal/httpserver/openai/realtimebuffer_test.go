package openai

import (
	"encoding/json"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lexilingo/modelgateway/server/internal/inflight"
)

// newTestRealtime returns a session without a socket, whose client commits its turns.
func newTestRealtime(t *testing.T, pool *inflight.Pool) *realtime {
	t.Helper()
	s := &realtime{ctx: t.Context(), session: newRealtimeSession(), memory: pool.Reserve(inflight.Options{Spare: true})}
	s.parts = inflight.NewAhead[turnPart](pool.Reserve(inflight.Options{Spare: true}), maxWaitingBytes, nil)
	s.buffer.configure(&s.session)
	return s
}

// What waits does not keep the event that it came with.
func TestPutCopies(t *testing.T) {
	s := newTestRealtime(t, inflight.NewPool(64<<20))
	s.begin()
	event := slices.Repeat([]byte{1}, 2*partBytes)
	if err := s.put(event); err != nil {
		t.Fatal(err)
	}
	clear(event)
	for range 2 {
		part, err := s.parts.Next(nil)
		if err != nil || len(part.audio) != partBytes || part.audio[0] != 1 {
			t.Fatalf("%d bytes, %v: they are those of the event", len(part.audio), err)
		}
	}
}

// The samples of an event are not copied again, also if a frame began before them.
func TestHearDoesNotCopy(t *testing.T) {
	s := newTestRealtime(t, inflight.NewPool(64<<20))
	s.session.detection = nil
	s.buffer.configure(&s.session)
	event := make([]byte, 32<<20)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for _, samples := range [][]byte{event[:3], event[3:]} {
		if err := s.hear(samples); err != nil {
			t.Fatal(err)
		}
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 16<<20 {
		t.Errorf("%d bytes of memory for the samples of %d", n, len(event))
	}
	if b := &s.buffer; b.heard+len(b.rest) != len(event) {
		t.Errorf("%d bytes were heard, and %d kept, of %d", b.heard, len(b.rest), len(event))
	}
}

// Silence for the client to commit is counted, and without memory only its end is kept.
func TestUnspokenIsCounted(t *testing.T) {
	for name, c := range map[string]struct {
		pool int64
		kept time.Duration
	}{"enough": {64 << 20, 20 * time.Second}, "none": {0, maxPause}} {
		pool := inflight.NewPool(c.pool)
		s := newTestRealtime(t, pool)
		s.session.detection = nil
		s.buffer.configure(&s.session)
		if err := s.hear(make([]byte, s.buffer.bytes(20*time.Second))); err != nil {
			t.Fatal(err)
		}
		if n := len(s.buffer.unspoken); n != s.buffer.bytes(c.kept) || c.pool > 0 && pool.Used() < int64(n) {
			t.Errorf("%s: %d bytes are kept and %d counted, want %d", name, n, pool.Used(), s.buffer.bytes(c.kept))
		}
		if err := s.drop(); err != nil || pool.Used() != 0 || s.buffer.turn != nil {
			t.Errorf("%s: %v, %d bytes are counted of nothing", name, err, pool.Used())
		}
	}
}

// Some of OpenAI's models take a list of languages. One of them is the language.
func TestRealtimeLanguages(t *testing.T) {
	s := newRealtimeSession()
	for _, step := range []struct{ text, want string }{
		{`{"languages":["vi"]}`, "vi"}, {`{"model":"whisper-1"}`, "vi"}, {`{"languages":["vi","en"]}`, ""}, {`{"language":"en"}`, "en"},
	} {
		if err := s.setTranscription(json.RawMessage(step.text)); err != nil || s.transcription.language() != step.want {
			t.Errorf("%s: %q, %v", step.text, s.transcription.language(), err)
		}
	}
	before := s
	if err := s.setTranscription(json.RawMessage(`{"languages":["fr","de"]}`)); err != nil || before.transcription.Languages[0] != "vi" {
		t.Errorf("%v, %v", before.transcription.Languages, err)
	}
	if err := s.setTranscription(json.RawMessage(`{"languages":["` + strings.Repeat("x", 99) + `"]}`)); err == nil {
		t.Error("a language of 99 letters")
	}
}
