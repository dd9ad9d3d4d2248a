package cli

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// mirror serves the same sparse file under every name.
type mirror struct {
	*httptest.Server
	file  string
	sum   string
	size  int64
	limit int64 // bytes that it sends before it blocks; 0: no limit

	mu      sync.Mutex
	sent    int64
	blocked chan struct{} // closed when it reaches the limit
}

func newMirror(t *testing.T, size, limit int64) *mirror {
	t.Helper()
	m := &mirror{file: filepath.Join(t.TempDir(), "content"), size: size, limit: limit, blocked: make(chan struct{})}
	write(t, m.file, "GGUF")
	if err := os.Truncate(m.file, size); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(m.file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, f); err != nil {
		t.Fatal(err)
	}
	m.sum = hex.EncodeToString(hash.Sum(nil))
	m.Server = httptest.NewServer(m)
	t.Cleanup(m.Close)
	return m
}

func (m *mirror) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("ETag", `"`+m.sum+`"`)
	w.Header().Set("X-Repo-Commit", strings.Repeat("c", 40))
	f, err := os.Open(m.file)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	http.ServeContent(&limited{ResponseWriter: w, mirror: m, done: r.Context().Done()}, r, "", time.Time{}, f)
}

// sentBytes returns how many bytes were sent.
func (m *mirror) sentBytes() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.sent
}

// limited counts the bytes sent, and blocks at the limit until the client
// disconnects.
type limited struct {
	http.ResponseWriter
	mirror *mirror
	done   <-chan struct{}
}

func (l *limited) Write(b []byte) (int, error) {
	m := l.mirror
	m.mu.Lock()
	over := m.limit > 0 && m.sent+int64(len(b)) > m.limit
	if !over {
		m.sent += int64(len(b))
	} else {
		select {
		case <-m.blocked:
		default:
			close(m.blocked)
		}
	}
	m.mu.Unlock()
	if over {
		<-l.done
		return 0, io.ErrClosedPipe
	}
	return l.ResponseWriter.Write(b)
}
