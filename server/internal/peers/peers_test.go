package peers

import (
	"strings"
	"testing"
)

func TestOf(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.1:80":                   "192.0.2.1",
		"192.0.2.1":                      "192.0.2.1",
		"127.0.0.1:1":                    "127.0.0.1",
		"[::1]:1":                        "::1",
		"[::1]":                          "::1",
		"[::ffff:192.0.2.1]:80":          "192.0.2.1",
		"[2001:db8:1:2:3:4:5:6]:80":      "2001:db8:1:2::/64",
		"[2001:db8:1:2:ffff::1%eth0]:80": "2001:db8:1:2::/64",
		"@":                              "",
		"":                               "",
		"/run/modelgateway.sock":         "",
	} {
		if got := Of(address); got != want {
			t.Errorf("%q is %q, want %q", address, got, want)
		}
	}
}

// The peer behind proxies is the last address that no trusted proxy has. What is
// before that may be invented.
func TestPeerBehindProxies(t *testing.T) {
	proxies, err := ParseProxies([]string{"127.0.0.1", "10.0.0.0/8", "2001:db8:1::/48"})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		address   string
		forwarded []string
		want      string
	}{
		"no proxy":                {"192.0.2.1:5", []string{"192.0.2.9"}, "192.0.2.1"},
		"a proxy":                 {"127.0.0.1:5", []string{"192.0.2.9"}, "192.0.2.9"},
		"a proxy without header":  {"127.0.0.1:5", nil, "127.0.0.1"},
		"an empty header":         {"127.0.0.1:5", []string{""}, "127.0.0.1"},
		"a client's invention":    {"127.0.0.1:5", []string{"192.0.2.7, 192.0.2.8", "192.0.2.9"}, "192.0.2.9"},
		"two proxies":             {"127.0.0.1:5", []string{"192.0.2.7, 192.0.2.9,10.1.2.3"}, "192.0.2.9"},
		"an IPv6 proxy":           {"[2001:db8:1::5]:5", []string{"2001:db8:2:3::4"}, "2001:db8:2:3::/64"},
		"with a port":             {"127.0.0.1:5", []string{"192.0.2.9:1234"}, "192.0.2.9"},
		"IPv6 with a port":        {"127.0.0.1:5", []string{"[2001:db8:2:3::4]:1234"}, "2001:db8:2:3::/64"},
		"unknown":                 {"127.0.0.1:5", []string{"192.0.2.9, unknown"}, "127.0.0.1"},
		"nonsense of a client":    {"127.0.0.1:5", []string{"x, 10.1.2.3"}, "10.1.2.3"},
		"only proxies":            {"127.0.0.1:5", []string{"10.1.2.3"}, "10.1.2.3"},
		"an IPv4 address in IPv6": {"[::ffff:127.0.0.1]:5", []string{"::ffff:192.0.2.9"}, "192.0.2.9"},
	} {
		if got := proxies.PeerOf(c.address, c.forwarded); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	if got := Proxies(nil).PeerOf("127.0.0.1:5", []string{"192.0.2.9"}); got != "127.0.0.1" {
		t.Errorf("without trusted proxies: %q", got)
	}
}

func TestProxiesAreChecked(t *testing.T) {
	for text, want := range map[string]string{
		"proxy":               "write an IP address or a network",
		"":                    "write an IP address or a network",
		"10.0.0.0/33":         "write an IP address or a network",
		"fe80::1%eth0":        "write an IP address or a network",
		"0.0.0.0/0":           "every address",
		"::/0":                "every address",
		"10.1.0.0/8":          "write 10.0.0.0/8, or 10.1.0.0 for",
		"::ffff:10.0.0.0/104": "write the IPv4 address",
	} {
		if _, err := ParseProxies([]string{text}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
