package httpserver

import (
	"compress/gzip"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lexilingo/modelgateway/server/internal/auth"
	"github.com/lexilingo/modelgateway/server/internal/config"
)

// withKeys makes a server need keys.
func withKeys(t *testing.T) func(*Options) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "keys.yaml")
	if err := os.WriteFile(file, []byte("keys: []\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return func(opts *Options) {
		var err error
		if opts.Authorizer, err = auth.New(config.Auth{KeysFile: file}, opts.Log); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPlaygroundIsOnForThisMachineOrWithKeys(t *testing.T) {
	open, keyed := serve(t, nil), serve(t, withKeys(t))
	proxied := serve(t, func(opts *Options) { opts.AllowedHosts = []string{"ai.example.org"} })
	for name, c := range map[string]struct {
		url, host string
		code      int
		root      string
	}{
		"this machine":            {open, "127.0.0.1", 200, "/ui/"},
		"this machine, by name":   {open, "localhost:8001", 200, "/ui/"},
		"another name":            {open, "ai.example.org", 403, ""},
		"behind a proxy":          {proxied, "ai.example.org", 404, "/docs/"},
		"with keys":               {keyed, "127.0.0.1", 200, "/ui/"},
		"with keys, another name": {keyed, "ai.example.org", 403, ""},
	} {
		if resp, _ := send(t, http.MethodGet, c.url+"/ui/", nil, "Host", c.host); resp.StatusCode != c.code {
			t.Errorf("%s: %d", name, resp.StatusCode)
		}
		if resp, _ := send(t, http.MethodGet, c.url+"/", nil, "Host", c.host); c.root != "" && resp.Header.Get("Location") != c.root {
			t.Errorf("%s: / leads to %q", name, resp.Header.Get("Location"))
		}
	}
	for _, header := range []string{"X-Forwarded-For", "Forwarded", "Via"} {
		for url, code := range map[string]int{open: 404, keyed: 200} {
			if resp, _ := send(t, http.MethodGet, url+"/ui/", nil, "Host", "127.0.0.1", header, "1.1 proxy"); resp.StatusCode != code {
				t.Errorf("passed on with %s: %d, want %d", header, resp.StatusCode, code)
			}
		}
	}
	// Its calls need a key all the same.
	if resp, _ := send(t, http.MethodPost, keyed+"/v1/chat", strings.NewReader(chatJSON)); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("a call without a key: %d", resp.StatusCode)
	}
}

func TestPlaygroundAddressIsThatOfABrowserHere(t *testing.T) {
	for _, c := range []struct {
		addr  net.Addr
		keyed bool
		want  string
	}{
		{&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8001}, false, "localhost:8001"},
		{&net.TCPAddr{IP: net.IPv6loopback, Port: 8001}, false, "localhost:8001"},
		{&net.TCPAddr{IP: net.IPv4(127, 0, 0, 2), Port: 8001}, false, "127.0.0.2:8001"},
		{&net.TCPAddr{IP: net.IPv6unspecified, Port: 8001}, false, ""},
		{&net.TCPAddr{IP: net.IPv6unspecified, Port: 8001}, true, "localhost:8001"},
		{&net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 8001}, true, "192.0.2.1:8001"},
		{&net.UnixAddr{Name: "/run/http.sock", Net: "unix"}, true, ""},
	} {
		if got := PlaygroundAddress(c.addr, c.keyed); got != c.want {
			t.Errorf("%s, keys %v: %q, want %q", c.addr, c.keyed, got, c.want)
		}
	}
}

// A browser runs nothing on the page but the page's own files, and asks no other host.
func TestPlaygroundIsStrict(t *testing.T) {
	url := serve(t, nil)
	for path, media := range map[string]string{
		"/ui/": "text/html; charset=utf-8", "/ui/app.js": "text/javascript; charset=utf-8", "/ui/app.css": "text/css; charset=utf-8", "/ui/recorder.js": "text/javascript; charset=utf-8",
	} {
		resp, _ := send(t, http.MethodGet, url+path, nil)
		policy := resp.Header.Get("Content-Security-Policy")
		if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != media {
			t.Errorf("%s: %d %s", path, resp.StatusCode, resp.Header.Get("Content-Type"))
		}
		if !strings.HasPrefix(policy, "default-src 'none'; script-src 'self'; ") || strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") || strings.Contains(policy, ":") {
			t.Errorf("%s: the policy is %q", path, policy)
		}
		if again, _ := send(t, http.MethodGet, url+path, nil, "If-None-Match", resp.Header.Get("Etag")); again.StatusCode != http.StatusNotModified {
			t.Errorf("%s again: %d", path, again.StatusCode)
		}
		if head, _ := send(t, http.MethodHead, url+path, nil); head.StatusCode != http.StatusOK {
			t.Errorf("HEAD %s: %d", path, head.StatusCode)
		}
	}
	if resp, _ := send(t, http.MethodGet, url+"/ui/nothing", nil); resp.StatusCode != http.StatusFound || resp.Header.Get("Location") != "/ui/" {
		t.Errorf("a page that does not exist: %d", resp.StatusCode)
	}
	if resp, _ := send(t, http.MethodPost, url+"/ui/", strings.NewReader("")); resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", resp.StatusCode)
	}
}

func TestPlaygroundIsCompressed(t *testing.T) {
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, serve(t, nil)+"/ui/app.js", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept-Encoding", "gzip")
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := gzip.NewReader(resp.Body)
	if err != nil {
		t.Fatalf("%v: %v", resp.Header, err)
	}
	if text, err := io.ReadAll(body); err != nil || !strings.Contains(string(text), "/v1/transcribe/ws") {
		t.Errorf("%d bytes, %v", len(text), err)
	}
}
