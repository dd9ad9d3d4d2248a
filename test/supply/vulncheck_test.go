package supply

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// tool installs a tool of scripts/tools.sh, or skips the test where no registry can be reached.
func tool(t *testing.T, name string) (dir string) {
	t.Helper()
	cmd := exec.Command("../../scripts/tools.sh", name)
	var messages strings.Builder
	cmd.Stderr = &messages
	out, err := cmd.Output()
	if err != nil {
		t.Skipf("%s cannot be installed: %v %s", name, err, messages.String())
	}
	return strings.TrimSpace(string(out))
}

// run runs a script and returns its exit status and output.
func run(t *testing.T, env []string, command ...string) (status int, output string) {
	t.Helper()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

func writeJSON(t *testing.T, path string, value any) {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// database writes a database that knows one vulnerability, of a function of a module.
func database(t *testing.T, module, function string) (url string) {
	t.Helper()
	dir := t.TempDir()
	const id, modified = "GO-2026-0001", "2026-01-01T00:00:00Z"
	writeJSON(t, filepath.Join(dir, "index", "db.json"), map[string]any{"modified": modified})
	writeJSON(t, filepath.Join(dir, "index", "modules.json"), []any{map[string]any{"path": module, "vulns": []any{map[string]any{"id": id, "modified": modified}}}})
	writeJSON(t, filepath.Join(dir, "index", "vulns.json"), []any{map[string]any{"id": id, "modified": modified}})
	writeJSON(t, filepath.Join(dir, "ID", id+".json"), map[string]any{
		"schema_version": "1.3.1", "id": id, "modified": modified, "published": modified, "summary": "made for a test",
		"database_specific": map[string]any{"url": "https://example.org/" + id},
		"affected": []any{map[string]any{
			"package":            map[string]any{"name": module, "ecosystem": "Go"},
			"ranges":             []any{map[string]any{"type": "SEMVER", "events": []any{map[string]any{"introduced": "0"}}}},
			"ecosystem_specific": map[string]any{"imports": []any{map[string]any{"path": module, "symbols": []any{function}}}},
		}},
	})
	return "file://" + dir
}

// A vulnerability counts if its function is called. Without a database, the script says that it checked nothing.
func TestVulncheck(t *testing.T) {
	t.Parallel()
	tool(t, "govulncheck")
	const module = "github.com/agext/levenshtein" // internal/suggest calls its Distance
	for name, test := range map[string]struct {
		database string
		status   int
		says     string
	}{
		"called":     {database(t, module, "Distance"), 1, "affected by 1 vulnerability"},
		"not called": {database(t, module, "Match"), 0, "affected by 0 vulnerabilities"},
		"no folder":  {"file://" + filepath.Join(t.TempDir(), "none"), 3, "were not looked for: the database cannot be reached"},
		"no server":  {"http://127.0.0.1:1", 3, "were not looked for: the database cannot be reached"},
	} {
		status, output := run(t, []string{"MG_VULNDB=" + test.database}, "../../scripts/vulncheck.sh", "./internal/suggest")
		if status != test.status || !strings.Contains(output, test.says) {
			t.Errorf("%s: status %d: %s", name, status, output)
		}
	}
}

// The list of native packages is valid, and a file that is not is refused.
func TestSBOM(t *testing.T) {
	t.Parallel()
	python := filepath.Join(tool(t, "sbom"), "python3")
	if _, err := exec.LookPath("dpkg"); err != nil {
		t.Skip("dpkg, which names the architecture, is not installed")
	}
	dir := t.TempDir()
	good, bad := filepath.Join(dir, "good.cdx.json"), filepath.Join(dir, "bad.cdx.json")
	packages := locked(t, "amd64")
	cmd := exec.Command(python, "../../scripts/sbom/native.py")
	cmd.Stdin = strings.NewReader(packages)
	bom, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(good, bom, 0o600); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("%d components, CycloneDX 1.6", strings.Count(packages, "\n"))
	if status, output := run(t, nil, python, "../../scripts/sbom/validate.py", good); status != 0 || !strings.Contains(output, want) {
		t.Errorf("status %d: %s, want %s", status, output, want)
	}
	for name, edit := range map[string][2]string{
		"a type that does not exist": {`"type": "library"`, `"type": "treasure"`},
		"an additional key":          {`"type": "library"`, `"type": "library", "colour": "red"`},
		"no package URL":             {`"purl": "pkg:deb/debian/libllama0`, `"copyright": "`},
	} {
		broken := strings.ReplaceAll(string(bom), edit[0], edit[1])
		if broken == string(bom) {
			t.Errorf("%s: the edit changes nothing", name)
		}
		if err := os.WriteFile(bad, []byte(broken), 0o600); err != nil {
			t.Fatal(err)
		}
		if status, output := run(t, nil, python, "../../scripts/sbom/validate.py", good, bad); status != 1 || !strings.Contains(output, "bad.cdx.json: ") {
			t.Errorf("%s: status %d: %s", name, status, output)
		}
	}
}
