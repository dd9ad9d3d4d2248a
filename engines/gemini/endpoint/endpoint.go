// Package endpoint checks the address of the Gemini API, to which the key is sent.
// It is separate from the client, so that the configuration can be checked without
// importing it.
package endpoint

import (
	"fmt"
	"net"
	"net/url"
	"strings"
)

// Default is Google's address of the API.
const Default = "https://generativelanguage.googleapis.com"

// Check returns an error if base is not a valid base URL. It must be https, or http
// with a loopback address (for tests and local proxies), with a host and without
// user, query and fragment, which could contain a secret.
func Check(base string) error {
	u, err := url.Parse(base)
	switch {
	case err != nil || u.Hostname() == "":
		return fmt.Errorf("it must be a URL such as %s", Default)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return fmt.Errorf("it must not have a user, query or fragment; use a URL such as %s", Default)
	case u.Scheme == "https", u.Scheme == "http" && loopback(u.Hostname()):
		return nil
	default:
		return fmt.Errorf("it must begin with https:// (http:// only for this machine), because the API key is sent to it")
	}
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}
