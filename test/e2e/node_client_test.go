package e2e

import (
	"context"
	"encoding/xml"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// nodeSuite is a suite of a JUnit file of Node.js: a test with subtests, which can
// be suites themselves.
type nodeSuite struct {
	Name   string      `xml:"name,attr"`
	Suites []nodeSuite `xml:"testsuite"`
	Cases  []nodeCase  `xml:"testcase"`
}

type nodeCase struct {
	Name    string       `xml:"name,attr"`
	Failure *pytestFault `xml:"failure"`
	Skipped *pytestFault `xml:"skipped"`
}

// run makes each case a subtest, so that it counts like a Go test, and returns
// their number.
func (s nodeSuite) run(t *testing.T) int {
	t.Helper()
	count := 0
	for _, c := range s.Cases {
		count++
		t.Run(c.Name, func(t *testing.T) {
			if c.Failure != nil {
				t.Errorf("%s\n%s", c.Failure.Message, c.Failure.Text)
			}
			if c.Skipped != nil {
				t.Skip(c.Skipped.Message)
			}
		})
	}
	for _, inner := range s.Suites {
		t.Run(inner.Name, func(t *testing.T) { count += inner.run(t) })
	}
	return count
}

// nodeArch is what Node.js calls an architecture.
var nodeArch = map[string]string{"amd64": "x64", "arm64": "arm64"}

// The tests of the package for Node.js and the web, in each version of Node.js that
// it is for.
func TestNodeClient(t *testing.T) {
	program(t)
	reports := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	defer cancel()
	args := []string{"test/run.mjs", "--junit", reports}
	for _, version := range []string{"20", "22", "24"} {
		args = append(args, inProject(t, "test", "e2e", "node", "node_modules", "node"+version+"-"+nodeArch[runtime.GOARCH], "bin", "node"))
	}
	cmd := exec.CommandContext(ctx, "node", args...)
	cmd.Dir = inProject(t, "clients", "node")
	out, failed := cmd.CombinedOutput()
	files, err := filepath.Glob(filepath.Join(reports, "*.xml"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 3 {
		t.Fatalf("there are %d reports, want 3: %v\n%s", len(files), failed, out)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var all nodeSuite
		if err := xml.Unmarshal(data, &all); err != nil {
			t.Fatal(err)
		}
		t.Run(strings.TrimSuffix(filepath.Base(file), ".xml"), func(t *testing.T) {
			if count := all.run(t); count < 60 {
				t.Errorf("%d tests ran, want at least 60", count)
			}
		})
	}
	if failed != nil && !t.Failed() {
		t.Errorf("node: %v\n%s", failed, out)
	}
}
