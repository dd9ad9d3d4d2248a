package main

import (
	"context"
	"net"
	"sync/atomic"
)

// The clients have different addresses of this machine: shares are by address.
const (
	honestAddress  = "127.0.0.1"
	hostileAddress = "127.0.0.2"
)

// dialer opens connections from an address, and counts the bytes that they send.
type dialer struct {
	from string
	sent atomic.Int64
}

func dialerFrom(address string) *dialer { return &dialer{from: address} }

// dialContext has the signature that net/http wants.
func (d *dialer) dialContext(ctx context.Context, network, address string) (net.Conn, error) {
	nd := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(d.from)}}
	conn, err := nd.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &countedConn{conn, d}, nil
}

// dial has the signature that gRPC wants.
func (d *dialer) dial(ctx context.Context, address string) (net.Conn, error) {
	return d.dialContext(ctx, "tcp", address)
}

// countedConn is a connection whose dialer counts what it sends.
type countedConn struct {
	net.Conn
	dialer *dialer
}

// Write implements net.Conn.
func (c *countedConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.dialer.sent.Add(int64(n))
	return n, err
}
