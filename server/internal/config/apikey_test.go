package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestAPIKeyFile(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	key, other := file("key", "from-file\n"), file("other", " other ")
	file("credentials/gemini_api_key", "credential\n")
	credentials := "CREDENTIALS_DIRECTORY=" + filepath.Join(dir, "credentials")
	empty := "CREDENTIALS_DIRECTORY=" + dir
	for name, c := range map[string]struct {
		yaml      string
		env       []string
		want      string
		wantError string
	}{
		"none":                             {want: ""},
		"file":                             {yaml: "gemini: {api_key_file: " + key + "}", want: "from-file"},
		"variable":                         {env: []string{"GEMINI_API_KEY_FILE=" + key}, want: "from-file"},
		"the variable before the file":     {yaml: "gemini: {api_key_file: " + key + "}", env: []string{"GEMINI_API_KEY_FILE=" + other}, want: "other"},
		"a key in a variable before both":  {yaml: "gemini: {api_key_file: " + key + "}", env: []string{"GEMINI_API_KEY=k", credentials}, want: "k"},
		"a file's name before a key":       {yaml: "gemini: {api_key: k}", env: []string{"GEMINI_API_KEY_FILE=" + key}, want: "from-file"},
		"credential":                       {env: []string{credentials}, want: "credential"},
		"a file before the credential":     {yaml: "gemini: {api_key_file: " + key + "}", env: []string{credentials}, want: "from-file"},
		"credentials of other services":    {env: []string{empty}, want: ""},
		"two variables":                    {env: []string{"GEMINI_API_KEY=k", "GEMINI_API_KEY_FILE=" + key}, wantError: "GEMINI_API_KEY_FILE are both set"},
		"two settings":                     {yaml: "gemini: {api_key: k, api_key_file: " + key + "}", wantError: "only one"},
		"no such file":                     {env: []string{"GEMINI_API_KEY_FILE=/nowhere/key"}, wantError: "no such file"},
		"an empty file":                    {env: []string{"GEMINI_API_KEY_FILE=" + file("empty", "\n")}, wantError: "empty"},
		"a large file":                     {env: []string{"GEMINI_API_KEY_FILE=" + file("large", strings.Repeat("k", 5000))}, wantError: "4096"},
		"a file with more than one key":    {env: []string{"GEMINI_API_KEY_FILE=" + file("two", "one\ntwo\n")}, wantError: "api_key"},
		"a folder instead of a file":       {env: []string{"GEMINI_API_KEY_FILE=" + dir}, wantError: "directory"},
		"the folder of keys is unreadable": {env: []string{"CREDENTIALS_DIRECTORY=" + key}, wantError: "not a directory"},
	} {
		cfg, err := load(t, c.yaml+"\n", c.env, Overrides{})
		switch {
		case c.wantError != "":
			if err == nil || !strings.Contains(err.Error(), c.wantError) {
				t.Errorf("%s: %v", name, err)
			}
		case err != nil:
			t.Errorf("%s: %v", name, err)
		case cfg.Gemini.APIKey != c.want:
			t.Errorf("%s: the key is %q", name, cfg.Gemini.APIKey)
		case cfg.Gemini.APIKeyFile != "" && !slices.Contains(cfg.Private(), cfg.Gemini.APIKeyFile):
			t.Errorf("%s: the file of the key is not private: %v", name, cfg.Private())
		case c.want != "" && cfg.Models["gemini"].Absent != "":
			t.Errorf("%s: the model gemini is absent", name)
		}
	}
}

func TestRights(t *testing.T) {
	for name, c := range map[string]struct{ engine, wantError string }{
		"all":                {"{command: [x], allow: [network, files], read_paths: [/a], write_paths: [/b]}", ""},
		"an unknown right":   {"{command: [x], allow: [netwrok]}", `"network"`},
		"a relative path":    {"{command: [x], read_paths: [data]}", "not absolute"},
		"the cloud, offline": {"{command: [x], cloud: true}", "allow: [network]"},
	} {
		cfg, err := load(t, "engines: {other: "+c.engine+"}\n", nil, Overrides{})
		if c.wantError != "" {
			if err == nil || !strings.Contains(err.Error(), c.wantError) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if p := cfg.Engines["other"].Rights(); !p.Network || !p.AllFiles || !slices.Equal(p.Read, []string{"/a"}) || !slices.Equal(p.Write, []string{"/b"}) {
			t.Errorf("%s: %+v", name, p)
		}
	}
	if _, err := load(t, "engines: {gemini: {allow: [network]}}\n", nil, Overrides{}); err == nil || !strings.Contains(err.Error(), "server's process") {
		t.Errorf("rights of an engine without a process: %v", err)
	}
}
