package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/lexilingo/modelgateway/test/internal/calls"
)

// The proxies that servers are tried with.
const (
	envoy   = "envoy"
	haproxy = "haproxy"
)

// proxy is a proxy in front of a fleet, with the configuration in deploy/.
type proxy struct {
	name    string
	address string
	link    *calls.Link
	cmd     *exec.Cmd
	log     string
	done    chan struct{}
}

// deployed returns the path of a file in deploy/.
func deployed(elem ...string) string {
	return filepath.Join(append([]string{repository, "deploy"}, elem...)...)
}

// configured returns the configuration of a proxy for a fleet, whose gateways have other
// addresses than the example, at an address of its own.
func (f *fleet) configured(name, address string) (string, error) {
	file := map[string]string{envoy: "envoy.yaml", haproxy: "haproxy.cfg"}[name]
	text, err := os.ReadFile(deployed(name, file))
	if err != nil {
		return "", err
	}
	return strings.NewReplacer(
		"10.0.0.11", f.gateways[0].address, "10.0.0.12", f.gateways[1].address, "10.0.0.13", f.gateways[2].address,
		"address: 127.0.0.1, port_value: 9901", "address: "+address+", port_value: 9901",
		"address: 0.0.0.0, port_value: 8080", "address: "+address+", port_value: 8080",
		"bind :8080", "bind "+address+":8080",
	).Replace(string(text)), nil
}

// proxyCommand returns the command that serves a configuration, or checks it.
func proxyCommand(name, file string, check bool) *exec.Cmd {
	switch {
	case name == envoy && check:
		return exec.Command(envoy, "--mode", "validate", "--use-dynamic-base-id", "-l", "error", "-c", file)
	case name == envoy:
		return exec.Command(envoy, "--use-dynamic-base-id", "--concurrency", "2", "-l", "warning", "-c", file)
	case check:
		return exec.Command(haproxy, "-c", "-f", file)
	default:
		return exec.Command(haproxy, "-db", "-f", file)
	}
}

func (f *fleet) startProxy(name, address string) (*proxy, error) {
	text, err := f.configured(name, address)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(f.dir, name+map[string]string{envoy: ".yaml", haproxy: ".cfg"}[name])
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return nil, err
	}
	p := &proxy{name: name, address: address, link: calls.New(address+":8080", address+":8080", ""), log: file + ".log", done: make(chan struct{})}
	log, err := os.Create(p.log)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	p.cmd = proxyCommand(name, file, false)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

func (p *proxy) stop() {
	_ = p.cmd.Process.Kill()
	<-p.done
	p.link.Close()
}

// awaitUse waits until every proxy sends requests of gRPC and of HTTP to a gateway. It
// then has seen that the gateway is ready.
func (f *fleet) awaitUse(g *gateway) error {
	for _, p := range f.proxies {
		for _, c := range calls.Questions() {
			if c.Name != "gRPC Status" && c.Name != "REST status" {
				continue
			}
			err := g.await(c.Name+" reaches it through "+p.name, func() bool {
				ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
				defer cancel()
				select {
				case <-p.done:
					return true // see below
				default:
				}
				used := false
				c.Do(ctx, p.link, calls.Ask{Answered: func(h http.Header) { used = h.Get("mg-endpoint") == g.endpoint() }})
				return used
			})
			select {
			case <-p.done:
				err = fmt.Errorf("%s exited", p.name)
			default:
			}
			if err != nil {
				log, _ := os.ReadFile(p.log)
				return fmt.Errorf("%w\n%s", err, log[max(0, len(log)-2000):])
			}
		}
	}
	return nil
}
