package pull

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

func TestRedirectsToOtherHostsAreRefused(t *testing.T) {
	t.Parallel()
	var visits atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { visits.Add(1) }))
	t.Cleanup(other.Close)
	for name, test := range map[string]struct {
		to   string
		kind Kind
	}{
		"another port":        {other.URL + "/x", Refused},
		"another host":        {"https://example.org/x", Refused},
		"plain http":          {"http://huggingface.co/x", Refused},
		"a similar host name": {"https://evilhuggingface.co/x", Refused},
		"a host's subdomain":  {"https://hf.co.example.org/x", Refused},
		"another port of it":  {"https://hf.co:8443/x", Refused},
		"a password":          {"https://hf.co@example.org/x", Refused},
		"user at a good host": {"https://u:p@cdn-lfs.hf.co/x", Refused},
		"another scheme":      {"file:///etc/passwd", Refused},
		"itself":              {"", Broken},
	} {
		for _, method := range []string{http.MethodHead, http.MethodGet} {
			h := newHub(t, random(t, testSize))
			answer := func(w http.ResponseWriter, r *http.Request) bool {
				to := test.to
				if to == "" {
					to = r.URL.Path
				}
				w.Header().Set("Location", to)
				w.WriteHeader(http.StatusFound)
				return true
			}
			if method == http.MethodHead {
				h.head = answer
			} else {
				h.get = answer
			}
			e := newTrial(t, h.URL).mustFail(testModel(), test.kind)
			t.Logf("%s by %s: %s", name, method, e.Message)
		}
	}
	if visits.Load() != 0 {
		t.Errorf("the other host received %d requests", visits.Load())
	}
}

func TestAllowedHost(t *testing.T) {
	t.Parallel()
	content := random(t, testSize)
	store, front := newHub(t, content), newHub(t, content)
	front.get = func(w http.ResponseWriter, r *http.Request) bool {
		http.Redirect(w, r, store.URL+"/cdn/file", http.StatusTemporaryRedirect)
		return true
	}
	tr := newTrial(t, front.URL)
	tr.mustFail(testModel(), Refused)
	tr.opts.AllowHosts = []string{strings.TrimPrefix(store.URL, "http://")}
	tr.must(testModel(), content)
}

func TestEndpoints(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"https://huggingface.co", "https://mirror.example.org/hub/", "http://127.0.0.1:8080", "http://[::1]:80", "http://localhost"} {
		if _, err := newHosts(good, nil); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{"huggingface.co", "http://mirror.example.org", "ftp://x", "https://", "https://u:secret@x", "https://x?y=1", "https://x#y", "file:///x", "::", "http://127.0.0.1.example.org"} {
		_, err := newHosts(bad, nil)
		if err == nil {
			t.Errorf("%s: accepted", bad)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%v shows the password", err)
		}
	}
}

// The names of the real hosts resolve to test servers. Only the hub gets the token.
func TestTokenIsSentOnlyToTheHub(t *testing.T) {
	t.Parallel()
	content := random(t, testSize)
	store, front := newHub(t, content), newHub(t, content)
	toStore := func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodHead {
			w.Header().Set("X-Linked-Etag", sha256Of(content))
			w.Header().Set("X-Linked-Size", "1000003")
		}
		w.Header().Set("Location", "https://cdn-lfs.hf.co/cdn/file")
		w.WriteHeader(http.StatusFound)
		return true
	}
	front.head, front.get = toStore, toStore
	names := map[string]string{}
	for name, h := range map[string]*hub{"huggingface.co:443": front, "cdn-lfs.hf.co:443": store, "mirror.example.org:443": front} {
		s := httptest.NewTLSServer(h)
		t.Cleanup(s.Close)
		names[name] = s.Listener.Addr().String()
	}
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, names[addr])
		},
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // the certificates are not for these names
	}
	tokens := func(h *hub) (with, without int) {
		h.mu.Lock()
		defer h.mu.Unlock()
		for _, r := range h.requests {
			if r.Header.Get("Authorization") == "Bearer hf_secret" {
				with++
			} else {
				without++
			}
		}
		h.requests = nil
		return with, without
	}
	for _, endpoint := range []string{"", "https://mirror.example.org"} {
		tr := newTrial(t, endpoint)
		tr.opts.Token, tr.opts.Transport = "hf_secret", transport
		tr.must(testModel(), content)
		if with, _ := tokens(store); with != 0 {
			t.Errorf("%q: the store got the token %d times", endpoint, with)
		}
		if with, without := tokens(front); endpoint == "" && (with == 0 || without != 0) || endpoint != "" && with != 0 {
			t.Errorf("%q: %d requests with the token, %d without", endpoint, with, without)
		}
	}
}
