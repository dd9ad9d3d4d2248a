package worker_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/lexilingo/modelgateway/internal/isolate"
	"github.com/lexilingo/modelgateway/server/internal/worker"
)

// places are what a worker may try to reach.
type places struct{ tcp, udp, abstract, private, model string }

func newPlaces(t *testing.T) places {
	t.Helper()
	dir := t.TempDir()
	p := places{
		abstract: "unix:@modelgateway-test-" + filepath.Base(filepath.Dir(dir)) + filepath.Base(dir),
		private:  filepath.Join(dir, "private", "key"), model: filepath.Join(dir, "models", "model.bin"),
	}
	for _, file := range []string{p.private, p.model} {
		if err := errors.Join(os.Mkdir(filepath.Dir(file), 0o700), os.WriteFile(file, []byte("content"), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	_, abstract, _ := strings.Cut(p.abstract, ":")
	for network, address := range map[string]string{"tcp": "127.0.0.1:0", "unix": abstract} {
		listener, err := net.Listen(network, address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = listener.Close() })
		if network == "tcp" {
			p.tcp = "tcp:" + listener.Addr().String()
		}
	}
	packets, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = packets.Close() })
	p.udp = "udp:" + packets.LocalAddr().String()
	return p
}

// attempt is one of the fault engine's attempts.
type attempt struct {
	method, parameter string
	value             any
}

// try returns the error of an attempt, "" if it succeeded.
func (a attempt) try(t *testing.T, w worker.Worker) string {
	t.Helper()
	result, err := invoke(t, w, a.method, map[string]any{a.parameter: a.value})
	if err != nil {
		t.Fatal(err)
	}
	return result["error"].(string)
}

// self is the number of the server's process.
func self() string { return strconv.Itoa(os.Getpid()) }

// variable returns an environment variable of a worker.
func variable(process map[string]any, name string) string {
	for _, kv := range process["environment"].([]any) {
		if value, ok := strings.CutPrefix(kv.(string), name+"="); ok {
			return value
		}
	}
	return ""
}

func needIsolation(t *testing.T) {
	t.Helper()
	if lacks := isolate.Probe().Lacks(); lacks != nil {
		t.Skip("this kernel cannot isolate workers: ", strings.Join(lacks, "; "))
	}
}

// A worker reaches nothing but its model and its own folder.
func TestIsolation(t *testing.T) {
	needIsolation(t)
	p := newPlaces(t)
	s := spec(t, nil)
	s.Load.Path = p.model
	w := launchLoaded(t, newHost(t, worker.Options{}), s)
	for name, a := range map[string]attempt{
		"connect by TCP":                 {"connect", "address", p.tcp},
		"connect by UDP":                 {"connect", "address", p.udp},
		"connect to an abstract socket":  {"connect", "address", p.abstract},
		"read another file":              {"read", "path", p.private},
		"write another file":             {"write", "path", p.private},
		"write the model":                {"write", "path", p.model},
		"write beside the model":         {"write", "path", p.model + ".new"},
		"write to the temporary folder":  {"write", "path", filepath.Join(os.TempDir(), "modelgateway-isolation-test")},
		"the server's first environment": {"read", "path", "/proc/" + self() + "/environ"},
		"the server's memory":            {"read", "path", "/proc/" + self() + "/mem"},
		"a signal to the server":         {"signal", "pid", os.Getpid()},
	} {
		if got := a.try(t, w); !strings.Contains(got, "permission denied") && !strings.Contains(got, "not permitted") {
			t.Errorf("%s: %q", name, got)
		}
	}
	process, err := invoke(t, w, "process", nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, a := range map[string]attempt{
		"read the model":          {"read", "path", p.model},
		"read a system file":      {"read", "path", "/etc/passwd"},
		"write a temporary file":  {"write", "path", filepath.Join(variable(process, "TMPDIR"), "file")},
		"a signal to the process": {"signal", "pid", w.PID()},
	} {
		if got := a.try(t, w); got != "" {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// The configuration can give an engine more.
func TestRights(t *testing.T) {
	needIsolation(t)
	p := newPlaces(t)
	read, write := attempt{"read", "path", p.private}, attempt{"write", "path", p.private}
	connect, memory := attempt{"connect", "address", p.tcp}, attempt{"read", "path", "/proc/" + self() + "/mem"}
	for name, c := range map[string]struct {
		rights         isolate.Policy
		allowed, fails []attempt
	}{
		"network": {isolate.Policy{Network: true}, []attempt{connect, {"connect", "address", p.udp}}, []attempt{read, write, memory}},
		"files":   {isolate.Policy{AllFiles: true}, []attempt{read, write}, []attempt{connect, memory}},
		"read":    {isolate.Policy{Read: []string{filepath.Dir(p.private)}}, []attempt{read}, []attempt{write, connect, memory}},
		"write":   {isolate.Policy{Write: []string{filepath.Dir(p.private)}}, []attempt{read, write}, []attempt{connect, memory}},
	} {
		t.Run(name, func(t *testing.T) {
			s := spec(t, nil)
			s.Rights = c.rights
			w := launchLoaded(t, newHost(t, worker.Options{}), s)
			for _, a := range c.allowed {
				if got := a.try(t, w); got != "" {
					t.Errorf("%s %v: %s", a.method, a.value, got)
				}
			}
			for _, a := range c.fails {
				if got := a.try(t, w); got == "" {
					t.Errorf("%s %v succeeds", a.method, a.value)
				}
			}
		})
	}
}
