package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The configurations of the proxies are valid, and a mistake in them is found.
func TestProxyConfigurations(t *testing.T) {
	needProxies(t)
	f := &fleet{}
	for _, p := range loopback() {
		f.gateways = append(f.gateways, &gateway{place: p})
	}
	for name, mistake := range map[string][2]string{
		envoy:   {"hash_balance_factor", "hash_balance_facto"},
		haproxy: {"hash-balance-factor", "hash-balance-facto"},
	} {
		text, err := f.configured(name, "127.0.0.1")
		if err != nil {
			t.Fatal(err)
		}
		for address := range strings.FieldsFuncSeq(text, func(r rune) bool { return !strings.ContainsRune("0123456789.", r) }) {
			if strings.HasPrefix(address, "10.0.0.") {
				t.Errorf("%s: the address %s is not one of the three servers of the example", name, address)
			}
		}
		file := filepath.Join(t.TempDir(), name+".yaml")
		check := func(text string) (string, error) {
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			out, err := proxyCommand(name, file, true).CombinedOutput()
			return string(out), err
		}
		if out, err := check(text); err != nil {
			t.Errorf("%s: %v: %s", name, err, out)
		}
		if out, err := check(strings.Replace(text, mistake[0], mistake[1], 1)); err == nil || !strings.Contains(out, mistake[1]) {
			t.Errorf("%s accepts %q: %v: %s", name, mistake[1], err, out)
		}
	}
}
