package e2e

import (
	"context"
	"encoding/xml"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// pytestReport has the relevant fields of pytest's JUnit file.
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

// runPytest runs the Python tests of a folder. Each is a subtest, so that it counts
// like a Go test. Fewer than least means that some tests were not collected.
func runPytest(t *testing.T, dir string, least int) {
	t.Helper()
	program(t)
	report := filepath.Join(t.TempDir(), "pytest.xml")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, python(t), "-m", "pytest", "-q", "-p", "no:cacheprovider",
		"--junitxml="+report, "--basetemp="+filepath.Join(t.TempDir(), "pytest"))
	cmd.Dir = dir
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

func TestPythonClient(t *testing.T) {
	runPytest(t, inProject(t, "clients", "python"), 100)
}

// The evaluation of the starter models, from its arithmetic to a short run with a
// server.
func TestModelsEval(t *testing.T) {
	runPytest(t, inProject(t, "models", "starter", "eval"), 60)
}

// The package, and a program that uses it, pass mypy in strict mode and pyright.
func TestPythonClientTypes(t *testing.T) {
	pyright, err := filepath.Abs(filepath.Join("python", "node_modules", ".bin", "pyright"))
	if err != nil {
		t.Fatal(err)
	}
	for name, command := range map[string][]string{
		"mypy":    {python(t), "-m", "mypy", "--cache-dir=" + t.TempDir()},
		"pyright": {pyright, "--pythonpath", python(t)},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			cmd := exec.CommandContext(ctx, command[0], command[1:]...)
			cmd.Dir = inProject(t, "clients", "python")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
