package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lexilingo/modelgateway/test/internal/calls"
)

func TestMain(m *testing.M) {
	repository = "../.."
	os.Exit(m.Run())
}

// needProxies skips a test where the programs are missing.
func needProxies(t *testing.T) {
	t.Helper()
	for _, name := range []string{envoy, haproxy} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("%v; make test fetches it", err)
		}
	}
}

// startFleet starts gateways behind both proxies.
func startFleet(t *testing.T) *fleet {
	t.Helper()
	needProxies(t)
	bin, err := filepath.Abs("../../bin")
	if err != nil {
		t.Fatal(err)
	}
	f, err := newFleet(bin, faultModels(), loopback(), envoy, haproxy)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.stop)
	return f
}

func TestServersBehindProxies(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes a minute")
	}
	t.Parallel()
	f := startFleet(t)
	t.Run("surfaces", func(t *testing.T) { testSurfaces(t, f) })
	t.Run("rolling restart", func(t *testing.T) {
		if err := rollingRestart(f, 150, 10, t.Output()); err != nil {
			t.Error(err)
		}
	})
	t.Run("affinity", func(t *testing.T) { testAffinity(t, f) })
	t.Run("sessions", func(t *testing.T) { testSessions(t, f) })
	t.Run("kill", func(t *testing.T) { testKill(t, f) })
}

// Every call works through every proxy.
func testSurfaces(t *testing.T, f *fleet) {
	for _, p := range f.proxies {
		l := &load{}
		for _, c := range append(calls.Inferences(), calls.Questions()...) {
			if strings.HasSuffix(c.Name, "CreateAccessToken") {
				continue // the gateways have no keys
			}
			l.run(p, c, calls.Ask{Model: "quick", Text: calls.Hello})
			l.running.Wait()
		}
		if err := l.check(); err != nil {
			t.Error(err)
		}
	}
}
