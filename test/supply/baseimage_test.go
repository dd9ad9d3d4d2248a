package supply

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// index is the manifest of an image for some architectures.
func index(architectures ...string) string {
	images := make([]string, len(architectures))
	for i, architecture := range architectures {
		images[i] = fmt.Sprintf(`{"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": "sha256:%064d", "size": 1,
			"platform": {"architecture": %q, "os": "linux"}}`, i, architecture)
	}
	return `{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [` + strings.Join(images, ",") + `]}`
}

// The base image is pinned to the digest of its registry, or not at all.
func TestBaseImage(t *testing.T) {
	t.Parallel()
	tool(t, "crane")
	for name, test := range map[string]struct {
		manifest string // empty: the registry has none
		says     string // empty: it is pinned
	}{
		"both architectures": {index("amd64", "arm64"), ""},
		"one architecture":   {index("amd64"), "has no image for arm64"},
		"no image":           {"", "cannot be reached"},
	} {
		registry := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.URL.Path == "/v2/":
			case strings.HasPrefix(r.URL.Path, "/v2/debian/manifests/") && test.manifest != "":
				sum := sha256.Sum256([]byte(test.manifest))
				w.Header().Set("Content-Type", "application/vnd.oci.image.index.v1+json")
				w.Header().Set("Docker-Content-Digest", "sha256:"+hex.EncodeToString(sum[:]))
				w.Header().Set("Content-Length", fmt.Sprint(len(test.manifest)))
				if r.Method != http.MethodHead {
					_, _ = w.Write([]byte(test.manifest))
				}
			default:
				http.NotFound(w, r)
			}
		}))
		t.Cleanup(registry.Close)
		image := strings.TrimPrefix(registry.URL, "http://") + "/debian:forky-slim"
		file := filepath.Join(t.TempDir(), "Dockerfile")
		before := "# A comment.\nARG BASE=" + image + "@sha256:0\nFROM $BASE\n"
		if err := os.WriteFile(file, []byte(before), 0o600); err != nil {
			t.Fatal(err)
		}
		want := before
		if test.says == "" {
			sum := sha256.Sum256([]byte(test.manifest))
			want = strings.Replace(before, "@sha256:0", "@sha256:"+hex.EncodeToString(sum[:]), 1)
		}
		status, output := run(t, nil, "../../scripts/base-image.sh", file)
		after, err := os.ReadFile(file)
		if err != nil || string(after) != want || (status == 0) != (test.says == "") || !strings.Contains(output, test.says) {
			t.Errorf("%s: status %d: %s%s(%v)", name, status, output, after, err)
		}
	}
}

// Both stages of the image start from the image that is pinned.
func TestDockerfileHasOneBase(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	stages := 0
	for line := range strings.Lines(string(text)) {
		if from, ok := strings.CutPrefix(line, "FROM "); ok {
			stages++
			if strings.Fields(from)[0] != "$BASE" {
				t.Errorf("%q", line)
			}
		}
	}
	if stages != 2 || strings.Count(string(text), "\nARG BASE=debian:forky-slim") != 1 {
		t.Errorf("%d stages", stages)
	}
}
