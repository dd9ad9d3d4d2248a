package server

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/servertest"
)

// command is a server in its own process.
type command struct {
	*exec.Cmd
	out    *bufio.Reader
	errors *lockedBuffer
}

func serveCommand(t *testing.T, yaml string) *command {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "config.yaml")
	yaml = strings.ReplaceAll(yaml, "MODEL", file) + "state_dir: " + filepath.Join(dir, "state") + "\nengines_dir: " + servertest.EnginesDir() + "\n"
	if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	c := &command{Cmd: exec.Command(os.Args[0]), errors: &lockedBuffer{}}
	c.Env = append(os.Environ(), serveConfig+"="+file)
	c.Stderr = c.errors
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.out = bufio.NewReader(out)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if c.ProcessState == nil {
			_ = c.Process.Kill() // a failed test left it
			_ = c.Wait()
		}
	})
	return c
}

var readyLine = regexp.MustCompile(`^modelgateway test is ready: gRPC (127\.0\.0\.1:\d+), HTTP http://(127\.0\.0\.1:\d+), page http://localhost:\d+/ui/\n$`)

// ready waits until the server is ready and returns its gRPC address.
func (c *command) ready(t *testing.T) string {
	t.Helper()
	address, _ := c.addresses(t)
	return address
}

// addresses waits until the server is ready and returns its addresses.
func (c *command) addresses(t *testing.T) (grpcAddress, httpAddress string) {
	t.Helper()
	line, err := c.out.ReadString('\n')
	match := readyLine.FindStringSubmatch(line)
	if err != nil || match == nil {
		t.Fatalf("%q, %v: %s", line, err, c.errors)
	}
	return match[1], match[2]
}

// end waits for the end of the process, checks that it printed nothing more, and
// returns its exit code.
func (c *command) end(t *testing.T) int {
	t.Helper()
	if rest, err := io.ReadAll(c.out); err != nil || len(rest) > 0 {
		t.Errorf("printed %q, %v", rest, err)
	}
	var exit *exec.ExitError
	if err := c.Wait(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return c.ProcessState.ExitCode()
}

func (c *command) signal(t *testing.T, s os.Signal) {
	t.Helper()
	if err := c.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

func TestServeShutsDownOnASignal(t *testing.T) {
	for _, s := range []os.Signal{syscall.SIGTERM, syscall.SIGINT} {
		c := serveCommand(t, faultModels)
		c.ready(t)
		c.signal(t, s)
		if code := c.end(t); code != 0 {
			t.Errorf("%s: exit code %d: %s", s, code, c.errors)
		}
	}
}

func TestServeEndsAtOnceOnASecondSignal(t *testing.T) {
	c := serveCommand(t, faultModels)
	conn, err := grpc.NewClient(c.ready(t), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	r := &running{chat: gatewayv1.NewModelGatewayServiceClient(conn), admin: gatewayv1.NewModelAdminServiceClient(conn)}
	stream := longStream(t, r)
	pid := int(model(t, r, "qwen").GetWorkerPid())
	start := time.Now()
	c.signal(t, syscall.SIGTERM)
	eventually(t, func() bool { return strings.Contains(c.errors.String(), `"shutting down"`) })
	c.signal(t, syscall.SIGTERM)
	if err := drainStream(stream); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("the stream ended with %v", err)
	}
	if code := c.end(t); code != 0 || time.Since(start) > 8*time.Second {
		t.Errorf("exit code %d after %s: %s", code, time.Since(start), c.errors)
	}
	eventually(t, func() bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) })
}

func TestServeReportsStartErrors(t *testing.T) {
	first := serveCommand(t, faultModels)
	address := first.ready(t)
	for want, yaml := range map[string]string{
		"in use":          strings.Replace(faultModels, "127.0.0.1:0", address, 1),
		"unknown key":     faultModels + "nonsense: 1\n",
		"starter:nothing": strings.Replace(faultModels, "engine: fault, path: MODEL", "engine: fault, path: \"starter:nothing.gguf\"", 1),
	} {
		c := serveCommand(t, yaml)
		if code := c.end(t); code == 0 || !strings.Contains(c.errors.String(), strings.TrimPrefix(want, "starter:")) {
			t.Errorf("%s: exit code %d: %s", want, code, c.errors)
		}
	}
	first.signal(t, syscall.SIGTERM)
	if code := first.end(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// What libraries log goes to the server's log.
func TestEveryLogLineIsJSON(t *testing.T) {
	c := serveCommand(t, strings.Replace(faultModels, "level: info", "level: debug", 1))
	conn, err := net.Dial("tcp", c.ready(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: this-is-no-grpc\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, conn); err != nil { // until the server disconnects
		t.Log(err)
	}
	c.signal(t, syscall.SIGTERM)
	if code := c.end(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	log := c.errors.String()
	for line := range strings.Lines(log) {
		if !json.Valid([]byte(line)) {
			t.Errorf("not JSON: %s", line)
		}
	}
	if !strings.Contains(log, "bogus greeting") {
		t.Errorf("the log lacks the wrong HTTP/2 preface:\n%s", log)
	}
}
