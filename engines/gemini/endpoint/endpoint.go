// Package endpoint says to which addresses the key of the Gemini API may be sent.
// It stands apart from the client, so that the configuration can be checked
// without it.
package endpoint

import (
	"fmt"
	"net"
	"net/url"
	"strings"
)

// Default is Google's own address of the API.
const Default = "https://generativelanguage.googleapis.com"

// Check returns what is wrong with a base URL: it must be https, or http to this
// machine (for tests and proxies that run beside the gateway), with a host and
// nothing that could hold a secret.
func Check(base string) error {
	u, err := url.Parse(base)
	switch {
	case err != nil || u.Hostname() == "":
		return fmt.Errorf("it must be like %s", Default)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return fmt.Errorf("it must have no user, query or fragment, and be like %s", Default)
	case u.Scheme == "https", u.Scheme == "http" && loopback(u.Hostname()):
		return nil
	default:
		return fmt.Errorf("it must begin with https:// (http:// only for this machine): the key is sent there")
	}
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}
