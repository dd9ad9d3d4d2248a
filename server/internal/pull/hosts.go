package pull

import (
	"net"
	"net/url"
	"slices"
	"strings"
)

// hosts are who may be asked for a file.
type hosts struct {
	endpoint *url.URL
	extra    []string
}

// hubHosts are the hub and the hosts that it sends downloads to; an entry that
// begins with a dot is every host below it.
func hubHosts() []string { return []string{"huggingface.co", ".huggingface.co", "hf.co", ".hf.co"} }

// newHosts reads the endpoint.
func newHosts(endpoint string, extra []string) (*hosts, error) {
	u, err := url.Parse(endpoint)
	bad := func(why string) error {
		return &Error{Kind: Refused, Message: "the mirror " + redact(endpoint) + " cannot be used: " + why,
			Advice: "Give an address such as https://mirror.example.org with --mirror or HF_ENDPOINT."}
	}
	switch {
	case err != nil || u.Host == "" || u.Opaque != "":
		return nil, bad("it is no address")
	case u.User != nil:
		return nil, bad("it must not hold a password")
	case u.RawQuery != "" || u.Fragment != "":
		return nil, bad("it must be a host and a path alone")
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return nil, bad("http is for this machine alone; others need https")
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, bad("it must begin with https://")
	}
	return &hosts{endpoint: u, extra: extra}, nil
}

// check tells whether a request may go to an address.
func (h *hosts) check(u *url.URL) error {
	refuse := func(why string) error {
		return &Error{Kind: Refused, Message: "the hub leads to " + redact(u.String()) + ": " + why,
			Advice: "Nothing was fetched from there. If your mirror really keeps its files on that host, allow it with --allow-host."}
	}
	if u.User != nil {
		return refuse("an address with a password")
	}
	own := u.Scheme == h.endpoint.Scheme && u.Host == h.endpoint.Host
	named := slices.Contains(h.extra, u.Host) || u.Port() == "" && slices.Contains(h.extra, u.Hostname())
	switch {
	case own:
		return nil
	case u.Scheme == "http" && named && loopback(u.Hostname()) && h.endpoint.Scheme == "http":
		return nil
	case u.Scheme != "https":
		return refuse("only https is allowed")
	case named:
		return nil
	case (u.Port() == "" || u.Port() == "443") && slices.ContainsFunc(hubHosts(), func(entry string) bool {
		host := strings.ToLower(u.Hostname())
		return host == entry || strings.HasPrefix(entry, ".") && strings.HasSuffix(host, entry)
	}):
		return nil
	}
	return refuse("that host is not on the list")
}

// isHub tells whether an address is the hub's own, the only one that gets a
// token.
func (h *hosts) isHub(u *url.URL) bool {
	return u.Scheme == "https" && u.Host == "huggingface.co" && h.endpoint.Host == u.Host
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// redact shortens an address to what a message may show: signed addresses are
// keys.
func redact(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "(an unreadable address)"
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String()
}
