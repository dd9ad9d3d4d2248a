// Package supply tests what guards the files that the build fetches.
package supply

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const lockFile = "../../scripts/native.lock"

// locked returns the packages of an architecture in the lock, one a line, as the script lists those that it fetched.
func locked(t *testing.T, architecture string) string {
	t.Helper()
	text, err := os.ReadFile(lockFile)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, architecture+" "); ok {
			lines = append(lines, rest)
		}
	}
	return strings.Join(lines, "")
}

// Each line of the lock has a name, a version and a checksum, and each package of the build is there.
func TestLockIsComplete(t *testing.T) {
	t.Parallel()
	line := regexp.MustCompile(`^[a-z0-9][a-z0-9.+-]+ [0-9][A-Za-z0-9.:+~-]* [0-9a-f]{64}\n$`)
	for _, architecture := range []string{"amd64", "arm64"} {
		packages := locked(t, architecture)
		for l := range strings.Lines(packages) {
			if !line.MatchString(l) {
				t.Errorf("%s: %q", architecture, l)
			}
		}
		for _, name := range []string{"libllama-dev", "libwhisper-dev", "libespeak-ng-dev", "libonnxruntime-dev", "libc6-dev", "patchelf", "llama.cpp-tools", "whisper.cpp-tools"} {
			if !strings.Contains("\n"+packages, "\n"+name+" ") {
				t.Errorf("%s: no %s", architecture, name)
			}
		}
	}
}

func TestFetchedPackagesAreCompared(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("dpkg"); err != nil {
		t.Skip("dpkg, which compares versions, is not installed")
	}
	right := locked(t, "amd64")
	llama := regexp.MustCompile(`(?m)^libllama0 (\S+) (\S+)$`)
	with := func(version, sum string) string { return llama.ReplaceAllString(right, "libllama0 "+version+" "+sum) }
	other := strings.Repeat("0", 64)
	for name, test := range map[string]struct {
		packages, architecture, mode string
		accepted                     bool
		says                         string
	}{
		"the same":               {right, "amd64", "", true, ""},
		"the same, exactly":      {right, "amd64", "exact", true, ""},
		"other bytes":            {with("$1", other), "amd64", "", false, "are not the files that native.lock names"},
		"older":                  {with("0:0.0.1", other), "amd64", "", false, "the mirror is an old snapshot"},
		"older and others newer": {with("0:0.0.1", other) + "new 1 " + other + "\n", "amd64", "", false, "the mirror is an old snapshot"},
		"newer":                  {with("9:1", other), "amd64", "", true, "libllama0 9:1 (lock: "},
		"newer, exactly":         {with("9:1", other), "amd64", "exact", false, "make lock"},
		"needs another package":  {right + "libllama-new 1 " + other + "\n", "amd64", "", true, "libllama-new 1 (not in the lock)"},
		"another, exactly":       {right + "libllama-new 1 " + other + "\n", "amd64", "exact", false, "libllama-new 1 (not in the lock)"},
		"other architecture":     {right, "riscv64", "", true, "no versions for riscv64"},
	} {
		list := filepath.Join(t.TempDir(), "packages")
		if err := os.WriteFile(list, []byte(test.packages), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("../../scripts/nativecheck.sh", lockFile, test.architecture, list)
		cmd.Env = append(os.Environ(), "MG_NATIVE_LOCK="+test.mode)
		out, err := cmd.CombinedOutput()
		if (err == nil) != test.accepted || !strings.Contains(string(out), test.says) || test.says == "" && len(out) > 0 {
			t.Errorf("%s: %v %s", name, err, out)
		}
	}
}

// The private prefix that this build uses lists what is in it.
func TestPrefixListsItsPackages(t *testing.T) {
	t.Parallel()
	prefix := os.Getenv("MG_NATIVE_PREFIX")
	if prefix == "" {
		t.Skip("no private prefix (MG_NATIVE_PREFIX)")
	}
	list, err := os.ReadFile(filepath.Join(prefix, "packages"))
	if err != nil || !strings.Contains(string(list), "libllama0 ") {
		t.Fatalf("%v %s", err, list)
	}
}
