package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// readAloud is the text that the recording speaks.
const readAloud = "The quick brown fox jumps over the lazy dog. Then it runs away, and nobody knows where."

// page serves the built page and a recording.
type page struct {
	*httptest.Server
	speech []byte
	handle func(pattern string, handler func(http.ResponseWriter, *http.Request))
}

func newPage(t *testing.T) *page {
	t.Helper()
	p := &page{}
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServer(http.Dir(filepath.Join("browser", "build"))))
	mux.HandleFunc("/speech.wav", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "audio/wav")
		_, _ = w.Write(p.speech)
	})
	p.handle = mux.HandleFunc
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	return p
}

// call runs a function of the page in a browser and decodes its result.
func call[T any](t *testing.T, b browser, p *page, name string, args ...any) T {
	t.Helper()
	return callAt[T](t, b, p.URL, name, args...)
}

// callAt is call for the page at an address.
func callAt[T any](t *testing.T, b browser, url, name string, args ...any) T {
	t.Helper()
	list, err := json.Marshal(append([]any{}, args...))
	if err != nil {
		t.Fatal(err)
	}
	return decode[T](t, output(t, nil, "node", "browser/drive.mjs", string(b), b.program(t), url, name, string(list)))
}

// A page streams speech over gRPC-Web. Its stream breaks once and every tenth push
// is repeated; no event is lost or duplicated. TestWebClient does that in Firefox.
func TestSpeechFromAPage(t *testing.T) {
	p := newPage(t)
	s := start(t, speechModels+fmt.Sprintf("cors: {allowed_origins: [%q]}\n", p.URL))
	p.speech = s.say(t, readAloud).wav()
	whole, err := s.transcribe(within(t, patience), &gatewayv1.TranscriptionConfig{Language: "en"}, p.speech, 64<<10)
	if err != nil {
		t.Fatal(err)
	}
	want := whole.GetTranscript().GetText()
	t.Logf("transcript %q", want)
	type result struct {
		Text, ServedBy, Breakage          string
		Interims, Pieces, ResumedAt, Half int
		Sequences                         []int
	}
	for _, interim := range []bool{false, true} {
		got := call[result](t, chromium, p, "speak", s.http, interim, 4000)
		if got.ServedBy != "whisper" || got.Pieces < 20 || got.ResumedAt != got.Half+1 || got.Breakage == "" {
			t.Errorf("interim results %v: %+v", interim, got)
		}
		for i, sequence := range got.Sequences {
			// An outdated interim result is not sent again.
			if i > 0 && sequence <= got.Sequences[i-1] || !interim && sequence != i+1 {
				t.Errorf("interim results %v: events in the order %v", interim, got.Sequences)
			}
		}
		if !interim && got.Text != want {
			t.Errorf("interim results %v: %q, want %q", interim, got.Text, want)
		}
		if interim && got.Interims == 0 {
			t.Error("there were no interim results")
		}
	}
	eventually(t, patience, "the model is free again", func() bool { return s.model(t, "whisper").GetActiveCount() == 0 })
}

// The output of a browser's MediaRecorder reaches the engine over the WebSocket.
func TestRecordingOfAPage(t *testing.T) {
	p := newPage(t)
	s := start(t, speechModels+fmt.Sprintf("cors: {allowed_origins: [%q]}\n", p.URL))
	formats := map[browser]struct{ mimeType, head string }{
		chromium: {"audio/webm;codecs=opus", "1a45dfa3"},
		firefox:  {"audio/ogg;codecs=opus", "4f676753"},
	}
	inBrowsers(t, func(t *testing.T, b browser) {
		want := formats[b]
		got := call[struct {
			MimeType, Head, Error, ServedBy, Duration string
			Bytes, Code, Milliseconds                 int
		}](t, b, p, "record", s.http, want.mimeType)
		heard, err := time.ParseDuration(got.Duration)
		if err != nil || got.Error != "" || got.Code != 1000 || got.ServedBy != "whisper" {
			t.Fatalf("%v: %+v", err, got)
		}
		// On a busy machine, a browser may record less than requested.
		said := time.Duration(got.Milliseconds) * time.Millisecond
		if got.MimeType != want.mimeType || got.Head != want.head || heard < said/4 || heard > 4*said {
			t.Errorf("%+v", got)
		}
	})
}

// A page of an origin that is not configured cannot open a WebSocket.
func TestPageOfAnotherOriginCannotOpenSocket(t *testing.T) {
	p := newPage(t)
	s := start(t, speechModels)
	inBrowsers(t, func(t *testing.T, b browser) {
		if got := call[struct{ Opened bool }](t, b, p, "refused", s.http); got.Opened {
			t.Error("the socket was opened")
		}
	})
}
