package server

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// socketDir returns a folder with a short path: paths of sockets have at most 107
// bytes.
func socketDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "mg")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func TestServerStartsAgainAfterItWasKilled(t *testing.T) {
	dir := socketDir(t)
	yaml := strings.Replace(faultModels, "grpc_listen: 127.0.0.1:0", "grpc_listen: unix:"+filepath.Join(dir, "grpc"), 1)
	yaml = strings.Replace(yaml, "http_listen: 127.0.0.1:0", "http_listen: unix:"+filepath.Join(dir, "http"), 1)
	first := serveCommand(t, yaml)
	if _, err := first.out.ReadString('\n'); err != nil {
		t.Fatalf("%v: %s", err, first.errors)
	}
	for _, name := range []string{"grpc", "http"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != socketMode {
			t.Errorf("socket %s: %v, %v", name, info.Mode(), err)
		}
	}
	first.signal(t, syscall.SIGKILL)
	first.end(t)
	second := serveCommand(t, yaml)
	if line, err := second.out.ReadString('\n'); err != nil || !strings.Contains(line, "is ready") {
		t.Fatalf("%q, %v: %s", line, err, second.errors)
	}
	second.signal(t, syscall.SIGTERM)
	if code := second.end(t); code != 0 {
		t.Errorf("exit code %d: %s", code, second.errors)
	}
}

func TestOnlyStaleSocketsAreReplaced(t *testing.T) {
	dir := socketDir(t)
	live := filepath.Join(dir, "live")
	lis, err := net.Listen("unix", live)
	if err != nil {
		t.Fatal(err)
	}
	defer lis.Close()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{live, file} {
		if lis, err := listen("grpc_listen", "unix:"+path); err == nil || !strings.Contains(err.Error(), "in use") {
			t.Errorf("%s: %v, %v", path, lis, err)
		}
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "precious" {
		t.Errorf("the file has %q, %v", text, err)
	}
	conn, err := net.Dial("unix", live)
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
}

func TestServeOverAUnixSocket(t *testing.T) {
	socket := t.TempDir() + "/g.sock"
	r := start(t, strings.Replace(faultModels, "grpc_listen: 127.0.0.1:0", "grpc_listen: unix:"+socket, 1))
	if err := chatOf("", "Hello")(within(t, 20*time.Second), r); err != nil || r.GRPCAddr().Network() != "unix" {
		t.Errorf("%s: %v", r.GRPCAddr(), err)
	}
}

// The container image listens like this. A page whose domain resolves to the
// published address (DNS rebinding) must get nothing.
func TestOpenAddressChecksTheHost(t *testing.T) {
	r := start(t, strings.Replace(faultModels, "http_listen: 127.0.0.1:0", "http_listen: 0.0.0.0:0\nallow_unauthenticated: true\nallowed_hosts: [ai.example]", 1))
	url := fmt.Sprintf("http://127.0.0.1:%d/health", r.HTTPAddr().(*net.TCPAddr).Port)
	for host, want := range map[string]int{
		"": 200, "localhost:8001": 200, "192.0.2.1": 200, "ai.example": 200, "evil.example:8001": 403,
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = host
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%q: %d, want %d", host, resp.StatusCode, want)
		}
	}
	if log := r.logs.String(); !strings.Contains(log, "does not authenticate callers") {
		t.Errorf("no warning in the log:\n%s", log)
	}
}
