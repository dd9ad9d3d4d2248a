package e2e

import (
	"context"
	"encoding/xml"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// pytestWithin bounds all tests of the Python client together.
const pytestWithin = 10 * time.Minute

// pytestReport is what matters here of pytest's JUnit file.
type pytestReport struct {
	Cases []struct {
		File    string       `xml:"classname,attr"`
		Name    string       `xml:"name,attr"`
		Failure *pytestFault `xml:"failure"`
		Error   *pytestFault `xml:"error"`
		Skipped *pytestFault `xml:"skipped"`
	} `xml:"testsuite>testcase"`
}

type pytestFault struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// The Python client's own tests, each as a subtest, so that they count where
// Go's do.
func TestPythonClient(t *testing.T) {
	program(t)
	report := filepath.Join(t.TempDir(), "pytest.xml")
	ctx, cancel := context.WithTimeout(t.Context(), pytestWithin)
	defer cancel()
	cmd := exec.CommandContext(ctx, python(t), "-m", "pytest", "-q", "-p", "no:cacheprovider",
		"--junitxml="+report, "--basetemp="+filepath.Join(t.TempDir(), "pytest"))
	cmd.Dir = inProject(t, "clients", "python")
	cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
	out, failed := cmd.CombinedOutput()
	data, err := os.ReadFile(report)
	if err != nil {
		t.Fatalf("pytest wrote no report: %v, %v\n%s", failed, err, out)
	}
	var all pytestReport
	if err := xml.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	const least = 95 // fewer: something was not collected
	if len(all.Cases) < least {
		t.Errorf("%d tests ran, want at least %d", len(all.Cases), least)
	}
	for _, c := range all.Cases {
		name := strings.TrimPrefix(c.File, "tests.") + "/" + c.Name
		t.Run(name, func(t *testing.T) {
			for what, fault := range map[string]*pytestFault{"failed": c.Failure, "had an error": c.Error, "was skipped": c.Skipped} {
				if fault != nil {
					t.Errorf("%s: %s\n%s", what, fault.Message, fault.Text)
				}
			}
		})
	}
	if failed != nil && !t.Failed() {
		t.Errorf("pytest: %v\n%s", failed, out)
	}
}

// The package's annotations hold, as strictly as mypy can be.
func TestPythonClientTypes(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), pytestWithin)
	defer cancel()
	cmd := exec.CommandContext(ctx, python(t), "-m", "mypy", "--cache-dir="+t.TempDir())
	cmd.Dir = inProject(t, "clients", "python")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("mypy: %v\n%s", err, out)
	}
}
