package config

import (
	"strings"
	"testing"
)

// Windows programs begin a file with a byte-order mark, and may write UTF-16.
func TestByteOrderMarkOfYAML(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"mark":           {"\ufeffmax_memory_mb: 100\n", ""},
		"mark only":      {"\ufeff", ""},
		"UTF-16":         {"\xff\xfem\x00", "UTF-16"},
		"UTF-16, big":    {"\xfe\xff\x00m", "UTF-16"},
		"mark, mistakes": {"\ufeffmax_memory: 100\n", `test.yaml:1:1: unknown key "max_memory"`},
	} {
		cfg := &Config{}
		_, err := decode("test.yaml", []byte(c.text), cfg)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if name == "mark" && cfg.MaxMemoryMB != 100 {
			t.Errorf("%+v", cfg)
		}
	}
}
