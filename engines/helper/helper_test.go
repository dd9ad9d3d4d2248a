package helper_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lexilingo/modelgateway/engines/helper"
	"github.com/lexilingo/modelgateway/internal/isolate"
)

// compromised is the path of the program in testdata, which TestMain builds. The race
// detector would need more memory than a helper may have.
var compromised string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "helper-test-")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	compromised = filepath.Join(dir, "compromised")
	build := exec.Command("go", "build", "-o", compromised, "./testdata/compromised")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// A helper reaches neither files nor sockets nor other processes, even if what it reads
// has taken it over, and has limits.
func TestIsolation(t *testing.T) {
	if lacks := isolate.Probe().Lacks(); lacks != nil {
		t.Skip("this kernel cannot isolate: ", strings.Join(lacks, "; "))
	}
	dir := t.TempDir()
	private, local := filepath.Join(dir, "key"), filepath.Join(dir, "socket")
	if err := os.WriteFile(private, []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	remote := ""
	for network, address := range map[string]string{"tcp": "127.0.0.1:0", "unix": local} {
		listener, err := net.Listen(network, address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = listener.Close() })
		if network == "tcp" {
			remote = listener.Addr().String()
		}
	}
	p := start(t.Context(), t)
	for _, c := range []struct{ name, attempt, want string }{
		{"read a file", "read=" + private, "permission denied"},
		{"read the environment of the server", fmt.Sprintf("read=/proc/%d/environ", os.Getpid()), "permission denied"},
		{"write a file", "write=" + private, "permission denied"},
		{"write a new file", "write=" + private + ".new", "permission denied"},
		{"write to the temporary folder", "write=" + filepath.Join(os.TempDir(), "modelgateway-helper-test"), "permission denied"},
		{"connect by TCP", "tcp=" + remote, "permission denied"},
		{"connect to a socket of the machine", "unix=" + local, "permission denied"},
		{"make a pair of sockets", "pair", "permission denied"},
		{"signal the server", "signal", "operation not permitted"},
		{"take 2 GiB", "grow", "cannot allocate memory"},
		{"read a file of the system", "read=/etc/passwd", "done"},
		{"read the environment", "environment", "PATH=/usr/bin:/bin"},
		{"open many files", "open", "too many open files"},
	} {
		got, err := p.Exchange([]byte(c.attempt))
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if !strings.Contains(string(got), c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// What a helper says before it ends is the error, up to a limit.
func TestHelperFails(t *testing.T) {
	p := start(t.Context(), t)
	_, err := p.Exchange([]byte("fail"))
	if err == nil || !strings.HasPrefix(err.Error(), "no memory") || len(err.Error()) > 2000 {
		t.Errorf("%.100v", err)
	}
	p = start(t.Context(), t)
	if _, err := p.Exchange([]byte("huge")); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("a huge answer: %v", err)
	}
}

// A helper ends with its context, also if it hangs.
func TestHelperEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	p := start(ctx, t)
	if _, err := p.Exchange([]byte("pair")); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() {
		_, err := p.Exchange([]byte("hang"))
		ended <- err
	}()
	cancel()
	if err := <-ended; err == nil {
		t.Error("it answered")
	}
}

func start(ctx context.Context, t *testing.T) *helper.Process {
	t.Helper()
	p, err := helper.Start(ctx, helper.Options{Path: compromised, OwnGroup: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}
