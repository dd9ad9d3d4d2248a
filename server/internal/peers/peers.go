// Package peers says whose a request is: callers share the memory, the places and
// the time of the server (package inflight), whatever the number of their connections.
// A caller is an API key or else a peer: an address, or what a trusted proxy says it is.
package peers

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
)

// Header is the header in which proxies list the addresses for which they call.
// The standard header Forwarded is not read: a proxy that writes one of the two
// passes the other on as its client has sent it.
const Header = "X-Forwarded-For"

// EndpointHeader is the header of answers with the address of the server behind a
// proxy that answered. Clients send it back where that server must answer again.
const EndpointHeader = "mg-endpoint"

type contextKey struct{}

// With returns a context with the peer of its request.
func With(ctx context.Context, peer string) context.Context {
	return context.WithValue(ctx, contextKey{}, peer)
}

// From returns the peer of a request. It is "" for clients of Unix sockets, which
// have no address, and for requests of the server itself.
func From(ctx context.Context) string {
	peer, _ := ctx.Value(contextKey{}).(string)
	return peer
}

type keyKey struct{}

// WithKey returns a context with the public part of the API key of its request.
func WithKey(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, keyKey{}, id)
}

// Caller identifies the caller of a request: by the API key, or else by the peer.
func Caller(ctx context.Context) string {
	if id, _ := ctx.Value(keyKey{}).(string); id != "" {
		return id
	}
	return From(ctx)
}

// Of returns the peer at an address, with or without a port: the IPv4 address, or
// the network of the IPv6 address, of which a client has many. Other addresses,
// such as those of Unix sockets, give "".
func Of(address string) string {
	ip, err := parse(address)
	if err != nil {
		return ""
	}
	if ip.Is4() || ip.IsLoopback() {
		return ip.String()
	}
	const network = 64 // bits
	prefix, _ := ip.Prefix(network)
	return prefix.String()
}

// parse reads an address with or without a port.
func parse(address string) (netip.Addr, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = strings.TrimSuffix(strings.TrimPrefix(address, "["), "]")
	}
	ip, err := netip.ParseAddr(host)
	return ip.Unmap().WithZone(""), err
}

// Proxies are the addresses of the trusted proxies.
type Proxies []netip.Prefix

// ParseProxies reads addresses and networks such as 127.0.0.1 and 10.0.0.0/8.
func ParseProxies(list []string) (Proxies, error) {
	var all Proxies
	for _, text := range list {
		p, err := netip.ParsePrefix(text)
		if ip, notIP := netip.ParseAddr(text); notIP == nil && ip.Zone() == "" {
			ip = ip.Unmap()
			p, err = netip.PrefixFrom(ip, ip.BitLen()), nil
		}
		switch {
		case err != nil:
			return nil, fmt.Errorf("has %q: write an IP address or a network, such as 127.0.0.1 or 10.0.0.0/8", text)
		case p.Bits() == 0:
			return nil, fmt.Errorf("has %q, which is every address: every caller could then say that it is another one; write the addresses of your proxies", text)
		case p != p.Masked():
			return nil, fmt.Errorf("has %q, which is not the beginning of its network: write %s, or %s for the one address", text, p.Masked(), p.Addr())
		case p.Addr().Is4In6():
			return nil, fmt.Errorf("has %q: write the IPv4 address or network itself", text)
		}
		all = append(all, p)
	}
	return all, nil
}

// Trusts reports whether a proxy is at an address, with or without a port.
func (p Proxies) Trusts(address string) bool {
	ip, err := parse(address)
	return err == nil && slices.ContainsFunc(p, func(prefix netip.Prefix) bool { return prefix.Contains(ip) })
}

// PeerOf returns the peer of a request that came from an address. If a trusted
// proxy is there, forwarded counts, its values of Header: each proxy has added
// the address of its client at the end. The peer is the last that is no trusted
// proxy; what is before it can be invented.
func (p Proxies) PeerOf(address string, forwarded []string) string {
	list := strings.Join(forwarded, ",")
	for p.Trusts(address) && list != "" {
		i := strings.LastIndexByte(list, ',')
		client := strings.TrimSpace(list[i+1:])
		if _, err := parse(client); err != nil {
			break // "unknown", or nonsense: the proxy that said so is the last known
		}
		address, list = client, list[:max(i, 0)]
	}
	return Of(address)
}
