package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/timestamppb"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/models/modelstest"
)

// mistakes is a sentence to correct, of words that the starters know.
const mistakes = "My sister have a red car."

// seen is what must not happen on the playground; see browser/playground.mjs.
type seen struct{ Foreign, Errors, Violations []string }

// use runs a scenario of browser/scenarios.mjs in a browser and decodes what it saw. No
// request may leave the page's origin, nothing may be wider than the window, and in
// Chromium axe must find nothing serious.
func use[T any](t *testing.T, b browser, address, scenario string, options map[string]any) T {
	t.Helper()
	if shots := os.Getenv("MG_SCREENSHOTS"); shots != "" {
		folder, err := filepath.Abs(shots)
		if err != nil {
			t.Fatal(err)
		}
		options["shots"] = folder
	}
	given, err := json.Marshal(options)
	if err != nil {
		t.Fatal(err)
	}
	text := output(t, nil, "node", "browser/playground.mjs", string(b), b.program(t), address, scenario, string(given))
	bad := decode[seen](t, text)
	for name, all := range map[string][]string{"requests to other hosts": bad.Foreign, "errors of the page": bad.Errors, "not accessible": bad.Violations} {
		if len(all) > 0 {
			t.Errorf("%s:\n%s", name, strings.Join(all, "\n"))
		}
	}
	return decode[T](t, text)
}

// recording writes speech of the server's voice to a file.
func (s *server) recording(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "clip.wav")
	if err := os.WriteFile(file, s.say(t, text).wav(), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// Each tab of the playground does its job with the models that ship with the program.
func TestPlayground(t *testing.T) {
	s := start(t, "")
	clip := s.recording(t, mistakes)
	inBrowsers(t, func(t *testing.T, b browser) {
		t.Run("jobs", func(t *testing.T) { jobs(t, b, s, clip) })
		t.Run("memory", func(t *testing.T) {
			got := use[struct {
				Plan, Held string
				Events     int
			}](t, b, s.http, "memory", map[string]any{})
			if !strings.Contains(got.Plan, "piper") || strings.HasPrefix(got.Held, "0 ") || got.Events < 3 {
				t.Errorf("%+v", got)
			}
		})
		t.Run("keyboard", func(t *testing.T) {
			got := use[struct {
				First, Transcribed string
				Deleted            []string
			}](t, b, s.http, "keyboard", map[string]any{"clip": clip, "seconds": 2})
			if got.First != "Skip to the content" || len(got.Deleted) == 0 || !strings.Contains(got.Transcribed, "whisper") {
				t.Errorf("%+v", got)
			}
		})
		t.Run("lesson without a microphone", func(t *testing.T) {
			got := use[struct {
				Heard, Reply string
				Requests     int
			}](t, b, s.http, "sample", map[string]any{})
			t.Logf("%+v", got)
			if got.Heard == "" || got.Reply == "" || got.Requests != 6 {
				t.Errorf("%+v", got)
			}
		})
		t.Run("looks", func(t *testing.T) {
			windows := []any{[]any{"en", false, 1280}, []any{"vi", false, 360}}
			if b == chromium {
				windows = append(windows, []any{"en", true, 360}, []any{"vi", true, 1280})
			}
			got := use[struct{ Titles map[string]string }](t, b, s.http, "looks", map[string]any{"windows": windows})
			if len(got.Titles) != 8*len(windows) || got.Titles["lesson-vi-light-360"] != "Bài học – ModelGateway" || got.Titles["memory-en-light-1280"] != "Memory – ModelGateway" {
				t.Errorf("%v", got.Titles)
			}
		})
	})
	t.Run("load", func(t *testing.T) {
		t.Logf("%v ms to the first paint", use[struct{ Times []int }](t, chromium, s.http, "load", map[string]any{}).Times)
	})
	t.Run("many events", func(t *testing.T) { manyEvents(t, s) })
}

// jobs uses the tabs for language and speech.
func jobs(t *testing.T, b browser, s *server, clip string) {
	got := use[struct {
		Chat, Tutor, Voice, Saved, Transcript, Curl, Node string
		Deleted, Inserted                                 []string
		Words, Scored, Units, Requests                    int
	}](t, b, s.http, "jobs", map[string]any{"clip": clip, "text": mistakes})
	t.Logf("%+v", got)
	if got.Chat == "" || got.Tutor == "" || len(got.Deleted)+len(got.Inserted) == 0 || got.Transcript == "" || got.Words == 0 {
		t.Error("a model did not answer")
	}
	if got.Scored < 6 || got.Units == 0 || !strings.Contains(got.Voice, "piper") || got.Saved != "speech.wav" {
		t.Error("speech is missing")
	}
	if got.Requests < 6 || !strings.Contains(got.Curl, s.http+"/v1/grammar") || !strings.Contains(got.Node, `client.grammar("She have two book.")`) {
		t.Error("requests are missing")
	}
	// What the page gives to copy is a call.
	if text := output(t, nil, "sh", "-c", got.Curl); !strings.Contains(text, `"corrected_text"`) {
		t.Errorf("the copied call answers %s", text)
	}
}

// The memory tab follows 500 events a second, shows the newest only, and still answers
// to its buttons.
func manyEvents(t *testing.T, s *server) {
	const events, burst = 3000, 50
	target, err := url.Parse(s.http)
	if err != nil {
		t.Fatal(err)
	}
	watch := connect.NewServerStreamHandler("/modelgateway.v1.ModelAdminService/WatchModels",
		func(ctx context.Context, _ *connect.Request[gatewayv1.WatchModelsRequest], stream *connect.ServerStream[gatewayv1.WatchModelsResponse]) error {
			second := time.NewTicker(time.Second * burst / 500)
			defer second.Stop()
			for sent := 0; sent < events; sent += burst {
				for i := range burst {
					err := stream.Send(&gatewayv1.WatchModelsResponse{
						Time: timestamppb.Now(), Name: "piper", FromState: gatewayv1.ModelState_MODEL_STATE_UNLOADED,
						ToState: gatewayv1.ModelState_MODEL_STATE_LOADING, Detail: fmt.Sprintf("event %d", sent+i),
					})
					if err != nil {
						return err
					}
				}
				select {
				case <-second.C:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			<-ctx.Done()
			return ctx.Err()
		})
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target); r.Out.Host = r.In.Host }}
	mux := http.NewServeMux()
	mux.Handle("/modelgateway.v1.ModelAdminService/WatchModels", watch)
	mux.Handle("/", proxy)
	front := httptest.NewServer(mux)
	defer front.Close()
	got := use[struct {
		Rows, Answered, Changes int
		Longest                 float64
	}](t, chromium, front.URL, "flood", map[string]any{"events": events})
	t.Logf("answered after %d ms, longest task %.0f ms, %d changes", got.Answered, got.Longest, got.Changes)
	if got.Rows == 0 || got.Rows > 100 || got.Changes > events/4 {
		t.Errorf("%d events make %d rows and %d changes", events, got.Rows, got.Changes)
	}
}

// A person says a sentence into the microphone, and takes the whole lesson.
func TestLessonOfAPerson(t *testing.T) {
	dir := filepath.Dir(filepath.Dir(modelstest.Path(t, "whisper-base")))
	modelstest.Path(t, "en_US-joe-medium")
	s := start(t, "models_dir: "+dir+"\n")
	module, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/ggerganov/whisper.cpp/bindings/go").Output()
	if err != nil {
		t.Fatal(err)
	}
	got := use[struct {
		Heard, Corrected, Reply string
		Wave, Scored, Practised int
	}](t, chromium, s.http, "lesson", map[string]any{"clip": filepath.Join(strings.TrimSpace(string(module)), "samples", "jfk.wav"), "seconds": 11})
	t.Logf("%+v", got)
	if !strings.Contains(got.Heard, "your country") || got.Corrected == "" || got.Reply == "" || got.Wave != 1 || got.Scored < 20 || got.Practised == 0 {
		t.Error("a step of the lesson is missing")
	}
}

// TestScreenshots makes the pictures of the README, with the models that `make run`
// serves; see `make screenshots`.
func TestScreenshots(t *testing.T) {
	if os.Getenv("MG_SCREENSHOTS") == "" {
		t.Skip("MG_SCREENSHOTS names no folder")
	}
	dir := filepath.Dir(filepath.Dir(modelstest.Path(t, "whisper-base")))
	modelstest.Path(t, "en_US-joe-medium")
	s := start(t, "models_dir: "+dir+"\n")
	// What a learner says who has no th, instead of "I think the weather is nice today."
	use[struct{}](t, chromium, s.http, "pictures", map[string]any{"clip": s.recording(t, "I sink de wedder is nice today.")})
}

// On a server with keys, the page asks for one, and uses it for every call.
func TestPlaygroundAsksForAKey(t *testing.T) {
	keys := filepath.Join(t.TempDir(), "keys.yaml")
	secret := addKey(t, keys, "person", "--role", "infer", "--role", "admin")
	s := start(t, "", "--keys-file", keys)
	other := start(t, speechModels)
	clip := other.recording(t, "Good morning.")
	got := use[struct{ Refused []string }](t, chromium, s.http, "key", map[string]any{"key": secret, "clip": clip})
	if len(got.Refused) > 0 {
		t.Errorf("with the key %q: %v", secret, got.Refused)
	}
}
