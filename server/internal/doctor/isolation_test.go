package doctor

import (
	"errors"
	"testing"

	"github.com/lexilingo/modelgateway/internal/isolate"
)

func TestIsolation(t *testing.T) {
	t.Parallel()
	cfg := load(t, t.TempDir(), `
engines:
  plain: {command: [engine-fault]}
  remote: {command: [engine-fault], allow: [network], read_paths: [/data], write_paths: [/cache]}
  unused: {command: [engine-fault], allow: [files]}
models:
  a: {engine: plain, path: a}
  b: {engine: remote, path: b}
`)
	full := isolate.Support{Version: 7, Signals: true}
	findings := checkIsolation(cfg, full)
	if len(findings) != 2 {
		t.Fatalf("%+v", findings)
	}
	check(t, findings[0], OK, "no network", "Landlock 7")
	check(t, findings[1], OK, "engine remote may also use the network", "/data", "/cache")

	denied := errors.New("operation not permitted")
	for name, c := range map[string]struct {
		support isolate.Support
		wants   []string
	}{
		"nothing":      {isolate.Support{Network: denied, Files: denied}, []string{"network", "all files", "without a file"}},
		"old Landlock": {isolate.Support{Version: 2}, []string{"shorten files", "without a file", "signals"}},
		"no signals":   {isolate.Support{Version: 6}, []string{"signals"}},
	} {
		findings := checkIsolation(cfg, c.support)
		if len(findings) != len(c.wants)+1 { // and what the engine may
			t.Errorf("%s: %+v", name, findings)
			continue
		}
		for i, want := range c.wants {
			check(t, findings[i], Warn, want, "docs/security.md")
		}
	}
}
