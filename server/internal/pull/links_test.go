package pull

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// An attacker who can write to the models directory places links in it. Nothing
// outside may change.
func TestLinksOutOfTheDirectoryAreNotFollowed(t *testing.T) {
	t.Parallel()
	content := random(t, testSize)
	for name, place := range map[string]string{
		"folder": "whisper", "file": "whisper/model.bin", "part": "whisper/model.bin.part", "state": "whisper/model.bin.part.json",
		"temporary state": "whisper/model.bin.part.json.tmp", "lock": lockName, "temporary lock": lockName + ".tmp", "pull lock": pullLockName,
	} {
		for _, absent := range []bool{false, true} {
			h := newHub(t, content)
			tr := newTrial(t, h.URL)
			outside := filepath.Join(t.TempDir(), "outside")
			if name == "folder" {
				if err := os.Mkdir(outside, 0o755); err != nil {
					t.Fatal(err)
				}
			} else if !absent {
				write(t, outside, "precious")
			}
			link := filepath.Join(tr.opts.Dir, filepath.FromSlash(place))
			if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(outside, link); err != nil {
				t.Fatal(err)
			}
			_, err := tr.pull(testModel())
			t.Logf("%s: %v", name, err)
			if err != nil && advice(err) == "" && !strings.Contains(err.Error(), "not a regular file") {
				t.Errorf("%s: %v has no advice", name, err)
			}
			if name == "folder" {
				if left, _ := os.ReadDir(outside); len(left) != 0 {
					t.Errorf("%s: %v was written outside", name, left)
				}
				continue
			}
			got, err := os.ReadFile(outside)
			if absent && !os.IsNotExist(err) || !absent && string(got) != "precious" {
				t.Errorf("%s: outside is %d bytes now, %v", name, len(got), err)
			}
		}
	}
}
