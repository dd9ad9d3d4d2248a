package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/lexilingo/modelgateway/models/modelstest"
)

// webClientModels are those of the test engine, which hears the number of bytes,
// and a real one that understands a person.
const webClientModels = `
cpu_threads: 16
engines:
  fault: {command: [engine-fault], max_concurrency: 4}
models:
  qwen: {engine: llama, path: "starter:chat.gguf", memory_mb: 256, threads: 1}
  whisper: {engine: fault, path: %[1]s, memory_mb: 64}
  victim: {engine: fault, path: %[1]s, memory_mb: 64}
  ears: {engine: whisper, path: "starter:whisper.bin", memory_mb: 500, threads: 1, parameters: {temperature_inc: 0}}
  person: {engine: whisper, path: %[2]s, memory_mb: 1000, threads: 2}
tasks:
  chat: {primary: qwen}
  transcribe: {primary: whisper}
  synthesize: {primary: victim}
  pronunciation: {primary: victim}
`

// breaker forwards connections to an address until they are cut.
type breaker struct {
	net.Listener
	mu   sync.Mutex
	open map[net.Conn]bool
}

func newBreaker(t *testing.T, target string) *breaker {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &breaker{Listener: listener, open: map[net.Conn]bool{}}
	t.Cleanup(func() { _ = listener.Close(); b.cut() })
	go func() {
		for {
			here, err := listener.Accept()
			if err != nil {
				return
			}
			there, err := net.Dial("tcp", target)
			if err != nil {
				_ = here.Close()
				continue
			}
			b.mu.Lock()
			b.open[here] = true
			b.mu.Unlock()
			for _, ends := range [][2]net.Conn{{here, there}, {there, here}} {
				go func() {
					_, _ = io.Copy(ends[1], ends[0])
					_, _ = ends[0].Close(), ends[1].Close()
					b.mu.Lock()
					delete(b.open, here)
					b.mu.Unlock()
				}()
			}
		}
	}()
	return b
}

// cut breaks the open connections and returns their number.
func (b *breaker) cut() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	for conn := range b.open {
		_ = conn.Close()
	}
	return len(b.open)
}

// scenario is what a scenario of browser/client.ts returned, or its error.
type scenario struct {
	Result json.RawMessage
	Error  string
}

// The web client does in browsers what only a browser shows.
func TestWebClient(t *testing.T) {
	person := modelstest.Path(t, "whisper-base")
	module, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/ggerganov/whisper.cpp/bindings/go").Output()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("MG_MICROPHONE", filepath.Join(strings.TrimSpace(string(module)), "samples", "jfk.wav"))
	file := filepath.Join(t.TempDir(), "any.model")
	if err := os.WriteFile(file, []byte("a model of the test engine"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := newPage(t)
	s := start(t, fmt.Sprintf(webClientModels, file, person)+fmt.Sprintf("cors: {allowed_origins: [%q]}\n", p.URL))
	between := newBreaker(t, strings.TrimPrefix(s.http, "http://"))
	p.handle("/cut", func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, between.cut()) })
	p.handle("/kill", func(_ http.ResponseWriter, r *http.Request) {
		if pid, err := strconv.Atoi(r.FormValue("pid")); err == nil && pid > 1 {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	})
	files := http.FileServer(http.Dir(filepath.Join("node", "build")))
	for _, bundler := range bundlers {
		p.handle("/"+bundler+"/", files.ServeHTTP)
	}
	target, err := url.Parse(s.http)
	if err != nil {
		t.Fatal(err)
	}
	p.handle("/modelgateway.v1.ModelGatewayService/", httputil.NewSingleHostReverseProxy(target).ServeHTTP)
	inBrowsers(t, func(t *testing.T, b browser) {
		checkWebClient(t, b, p, s.http, "http://"+between.Addr().String())
		for _, bundler := range bundlers {
			if b == firefox && bundler != "vite" {
				continue // one is enough to see that the examples work there
			}
			t.Run(bundler, func(t *testing.T) { checkExamples(t, b, p.URL+"/"+bundler+"/") })
		}
	})
}

// bundlers have built pages of the examples in the client's README.
var bundlers = []string{"vite", "webpack"}

// checkExamples runs the examples of the client's README on a page whose origin also
// serves the API.
func checkExamples(t *testing.T, b browser, address string) {
	t.Helper()
	shown := callAt[[][]string](t, b, address, "runExamples")
	t.Log(shown)
	if len(shown) != 2 || len(shown[0]) < 2 || !strings.HasSuffix(shown[0][len(shown[0])-1], " bytes") ||
		len(shown[1]) != 1 || !strings.HasSuffix(shown[1][0], " of 100") {
		t.Error("the examples show something else")
	}
}

// checkWebClient runs the scenarios of browser/client.ts in a browser. address is the
// server, far the same through connections that /cut breaks.
func checkWebClient(t *testing.T, b browser, p *page, address, far string) {
	t.Helper()
	results := call[map[string]scenario](t, b, p, "client", address, far)
	checkScenario(t, results, "unary", func(got struct{ Same bool }) bool { return got.Same })
	type speech struct {
		Text, Last, ServedBy string
		Interims, Rate       int
		Seconds, Level       float64
	}
	checkScenario(t, results, "microphone", func(got speech) bool {
		return strings.Contains(letters(got.Text), "country") && got.Interims > 0 && got.Last == "final" && got.ServedBy == "person" &&
			got.Rate == 16_000 && got.Level > 0.01 && got.Seconds > 12
	})
	checkScenario(t, results, "websocket", func(got struct {
		speech
		Missing bool
	}) bool {
		return strings.HasSuffix(got.Text, " bytes") && got.Last == "final" && got.ServedBy == "whisper" && got.Missing
	})
	checkScenario(t, results, "broken", func(got struct {
		speech
		Cuts, Sent int
	}) bool {
		return got.Cuts > 0 && got.Text == fmt.Sprintf("%d bytes", got.Sent) && got.ServedBy == "whisper"
	})
	checkScenario(t, results, "abort", func(got struct{ Live, Unary bool }) bool { return got.Live && got.Unary })
	checkScenario(t, results, "killed", func(got struct{ Crashed, Text bool }) bool { return got.Crashed && got.Text })
	checkScenario(t, results, "slow", func(got struct{ Whole bool }) bool { return got.Whole })
	checkScenario(t, results, "play", func(got struct {
		Heard, Gap float64
		Stopped    bool
	}) bool {
		return got.Heard > 1.9 && got.Gap < 0.002 && got.Stopped
	})
	checkScenario(t, results, "silenced", func(got struct{ Found []string }) bool {
		return slices.Equal(got.Found, []string{"stopped", "Cancelled"})
	})
	type recording struct {
		Type    string
		Seconds float64
	}
	checkScenario(t, results, "recorder", func(got struct{ Compressed, Pcm recording }) bool {
		return got.Compressed.Type == "audio/webm;codecs=opus" && got.Compressed.Seconds > 0.5 && got.Pcm.Type == "audio/wav" && got.Pcm.Seconds > 0.5
	})
}

// checkScenario makes a scenario a subtest.
func checkScenario[T any](t *testing.T, results map[string]scenario, name string, ok func(T) bool) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		got := results[name]
		if got.Error != "" || got.Result == nil {
			t.Fatalf("error %q", got.Error)
		}
		if t.Logf("%s", got.Result); !ok(decode[T](t, string(got.Result))) {
			t.Error("this is not what it should be")
		}
	})
}
