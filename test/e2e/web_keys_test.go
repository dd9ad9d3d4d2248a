package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// addresses forwards requests and remembers what could show a key in a log.
type addresses struct {
	*httptest.Server
	mu   sync.Mutex
	seen []string
}

func newAddresses(t *testing.T, target string) *addresses {
	t.Helper()
	to, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(to)
	a := &addresses{}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		a.seen = append(a.seen, r.RequestURI+" "+r.Referer())
		a.mu.Unlock()
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(a.Close)
	return a
}

// addKey adds a key to a file, which may be new, and returns it.
func addKey(t *testing.T, file, name string, more ...string) string {
	t.Helper()
	added := output(t, nil, program(t), append([]string{"keys", "add", name, "--keys-file", file}, more...)...)
	for field := range strings.FieldsSeq(added) {
		if strings.HasPrefix(field, "mg_") {
			return field
		}
	}
	t.Fatalf("no key in %q", added)
	return ""
}

// Live speech over a WebSocket uses the client's key: browsers cannot show the answer
// to a handshake, but the client says why it was refused. The key is in no address and
// in no error.
func TestKeyOfAWebSocket(t *testing.T) {
	keys, file := filepath.Join(t.TempDir(), "keys.yaml"), filepath.Join(t.TempDir(), "any.model")
	if err := os.WriteFile(file, []byte("a model of the test engine"), 0o600); err != nil {
		t.Fatal(err)
	}
	watcher := addKey(t, keys, "watcher", "--role", "observe")
	p := newPage(t)
	s := start(t, fmt.Sprintf(`
engines: {fault: {command: [engine-fault], max_concurrency: 4}}
models: {whisper: {engine: fault, path: %s, memory_mb: 64}}
tasks: {transcribe: {primary: whisper}}
cors: {allowed_origins: [%q]}
`, file, p.URL), "--keys-file", keys)
	front := newAddresses(t, s.http)
	p.handle("/revoke", func(_ http.ResponseWriter, r *http.Request) {
		output(t, nil, program(t), "keys", "revoke", r.FormValue("name"), "--keys-file", keys)
	})
	inBrowsers(t, func(t *testing.T, b browser) {
		key := addKey(t, keys, string(b), "--role", "infer")
		eventually(t, patience, "the server has read the new key", func() bool {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.http+"/v1/models", nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer "+key)
			answer, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = answer.Body.Close()
			return answer.StatusCode != http.StatusUnauthorized
		})
		wrong := key[:len(key)-4] + "nope"
		type failure struct{ Name, Text string }
		got := call[struct {
			Text                                 string
			Revoked, Again, Wrong, Missing, Role failure
		}](t, b, p, "keys", front.URL, string(b), key, wrong, watcher)
		t.Logf("%+v", got)
		if got.Text != "1000 bytes" {
			t.Errorf("with a key: %q", got.Text)
		}
		for _, failed := range []failure{got.Revoked, got.Again, got.Wrong, got.Missing} {
			if failed.Name != "Unauthenticated" {
				t.Errorf("the error is %+v, want Unauthenticated", failed)
			}
		}
		if got.Role.Name != "Forbidden" {
			t.Errorf("the error is %+v, want Forbidden", got.Role)
		}
		shown := fmt.Sprint(got) + s.output()
		front.mu.Lock()
		defer front.mu.Unlock()
		if len(front.seen) < 6 {
			t.Errorf("only %d requests were seen", len(front.seen))
		}
		for _, secret := range []string{key, wrong, watcher} {
			if all := shown + strings.Join(front.seen, "\n"); strings.Contains(all, secret) {
				t.Errorf("the key %s is in\n%s", secret, all)
			}
		}
	})
}
