package playground

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// most is how large the page may be, compressed.
const most = 150_000

// harmless has addresses to which nothing is sent: names of XML, and the default of the
// client outside of pages.
var harmless = map[string]bool{"http://www.w3.org": true, "http://127.0.0.1": true}

func TestPageIsSmallAndNeedsNoOtherHost(t *testing.T) {
	size := 0
	err := fs.WalkDir(Files, "dist", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(Files, name)
		if err != nil {
			return err
		}
		var zipped bytes.Buffer
		w := gzip.NewWriter(&zipped)
		if _, err := w.Write(text); err != nil {
			return err
		}
		if err := w.Close(); err != nil {
			return err
		}
		size += zipped.Len()
		for _, address := range regexp.MustCompile(`(?:https?|wss?)://[\w.-]+`).FindAllString(string(text), -1) {
			if !harmless[address] && name != "dist/licences.txt" {
				t.Errorf("%s has %s", name, address)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes compressed", size)
	if size > most || size < 10_000 {
		t.Errorf("the page has %d bytes, more than %d or hardly any", size, most)
	}
}

// messages reads the texts of a language.
func messages(t *testing.T, language string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("src", "messages", language+".json"))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// Both languages have the same texts, with the same values in them.
func TestLanguagesHaveTheSameTexts(t *testing.T) {
	en, vi := messages(t, "en"), messages(t, "vi")
	if len(en) < 100 {
		t.Fatalf("%d texts", len(en))
	}
	value := regexp.MustCompile(`\{\w+\}`)
	values := func(text string) []string { return slices.Sorted(slices.Values(value.FindAllString(text, -1))) }
	for _, key := range slices.Sorted(maps.Keys(en)) {
		switch translated, ok := vi[key]; {
		case !ok:
			t.Errorf("%s is missing in Vietnamese", key)
		case strings.TrimSpace(translated) == "" || strings.TrimSpace(en[key]) == "":
			t.Errorf("%s is empty", key)
		case !slices.Equal(values(en[key]), values(translated)):
			t.Errorf("%s has other values in Vietnamese: %q, %q", key, en[key], translated)
		}
	}
	for key := range vi {
		if _, ok := en[key]; !ok {
			t.Errorf("%s is missing in English", key)
		}
	}
}

// Every text is used: by its name, or by a name that begins like it.
func TestEveryTextIsUsed(t *testing.T) {
	var source strings.Builder
	for _, pattern := range []string{"src/*.ts", "src/*.tsx", "src/*/*.ts", "src/*/*.tsx"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			source.Write(text)
		}
	}
	text := source.String()
	for key := range messages(t, "en") {
		prefix, _, _ := strings.Cut(key, ".")
		named := strings.Contains(text, `"`+key+`"`)
		computed := strings.Contains(text, "`"+prefix+".${") || strings.Contains(text, `tEnum("`+prefix+`"`)
		if !named && !computed {
			t.Errorf("nothing uses %s", key)
		}
	}
}
