package pull

import (
	"net"
	"net/url"
	"slices"
	"strings"
)

// hosts are the hosts that requests may go to.
type hosts struct {
	endpoint *url.URL
	extra    []string
}

// hubHosts are the hub and the hosts that it redirects downloads to. An entry that
// begins with a dot stands for all its subdomains.
func hubHosts() []string { return []string{"huggingface.co", ".huggingface.co", "hf.co", ".hf.co"} }

// newHosts checks the endpoint.
func newHosts(endpoint string, extra []string) (*hosts, error) {
	u, err := url.Parse(endpoint)
	bad := func(why string) error {
		return &Error{Kind: Refused, Message: "the mirror " + redact(endpoint) + " cannot be used: " + why,
			Advice: "Set --mirror or HF_ENDPOINT to a URL such as https://mirror.example.org."}
	}
	switch {
	case err != nil || u.Host == "" || u.Opaque != "":
		return nil, bad("it is not a URL")
	case u.User != nil:
		return nil, bad("it must not contain a password")
	case u.RawQuery != "" || u.Fragment != "":
		return nil, bad("it must not contain a query or a fragment")
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return nil, bad("http is allowed only for this machine, other hosts need https")
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, bad("it must begin with https://")
	}
	return &hosts{endpoint: u, extra: extra}, nil
}

// check returns an error if a request must not go to u.
func (h *hosts) check(u *url.URL) error {
	refuse := func(why string) error {
		return &Error{Kind: Refused, Message: "the hub redirects to " + redact(u.String()) + ", which is not allowed: " + why,
			Advice: "Nothing was downloaded from there. If your mirror stores its files on that host, allow it with --allow-host."}
	}
	if u.User != nil {
		return refuse("the URL contains a password")
	}
	own := u.Scheme == h.endpoint.Scheme && u.Host == h.endpoint.Host
	named := slices.Contains(h.extra, u.Host) || u.Port() == "" && slices.Contains(h.extra, u.Hostname())
	switch {
	case own:
		return nil
	case u.Scheme == "http" && named && loopback(u.Hostname()) && h.endpoint.Scheme == "http":
		return nil
	case u.Scheme != "https":
		return refuse("it is not https")
	case named:
		return nil
	case (u.Port() == "" || u.Port() == "443") && slices.ContainsFunc(hubHosts(), func(entry string) bool {
		host := strings.ToLower(u.Hostname())
		return host == entry || strings.HasPrefix(entry, ".") && strings.HasSuffix(host, entry)
	}):
		return nil
	}
	return refuse("it is not a known download host")
}

// isHub reports whether u is on the hub itself, the only host that gets the token.
func (h *hosts) isHub(u *url.URL) bool {
	return u.Scheme == "https" && u.Host == "huggingface.co" && h.endpoint.Host == u.Host
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// redact removes the parts of a URL that must not appear in messages. The query of
// a signed URL gives access to the file.
func redact(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "(invalid URL)"
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String()
}
