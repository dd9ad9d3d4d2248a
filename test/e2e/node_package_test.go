package e2e

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// The packed client, installed as its users do: types, size, dependencies, and the
// examples of its README in three versions of Node.js. TestWebClient runs
// those for browsers.
func TestNodePackage(t *testing.T) {
	program(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", "run.mjs")
	cmd.Dir = inProject(t, "test", "e2e", "node")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	count := 0
	for lines := bufio.NewScanner(strings.NewReader(string(out))); lines.Scan(); count++ {
		check := decode[struct{ Name, Error, Note string }](t, lines.Text())
		t.Run(check.Name, func(t *testing.T) {
			if t.Log(check.Note); check.Error != "" {
				t.Error(check.Error)
			}
		})
	}
	if count < 18 {
		t.Errorf("%d checks ran, want at least 18\n%s", count, out)
	}
}
