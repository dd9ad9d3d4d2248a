package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/lexilingo/modelgateway/test/internal/calls"
)

// size is how many gateways a fleet has: as many as the configurations of the proxies
// list.
const size = 3

// fleet is some gateways, and the proxies in front of them. Each has a loopback address
// of its own, so that all can use the ports that they have on real machines.
type fleet struct {
	served
	dir      string
	network  string // the first three numbers of the addresses of the proxies
	gateways []*gateway
	proxies  []*proxy
}

// place is where a gateway runs.
type place struct {
	address string
	within  []string // the command that runs a command there; empty: here
}

// loopback returns places on this machine.
func loopback() []place {
	network := someNetwork()
	var all []place
	for i := range size {
		all = append(all, place{address: fmt.Sprintf("%s.%d", network, i+1)})
	}
	return all
}

// someNetwork returns the first three numbers of loopback addresses that nothing else
// uses.
func someNetwork() string {
	return fmt.Sprintf("127.%d.%d", 1+rand.IntN(250), 1+rand.IntN(250)) //nolint:gosec // nothing secret
}

// config is the configuration of each gateway, without its models.
const config = `
grpc_listen: ADDRESS:50051
http_listen: ADDRESS:8001
advertise: ADDRESS:50051
trusted_proxies: [127.0.0.0/8, 10.0.0.0/8]
allow_unauthenticated: true
allowed_hosts: ["*"]
state_dir: DIR/state
engines_dir: BIN
max_memory_mb: 2000
drain_delay: 3s
drain_timeout: 60s
log: {level: info, format: json}
`

// newFleet starts gateways of the programs in bin at places, and the proxies.
func newFleet(bin string, serve served, places []place, proxies ...string) (*fleet, error) {
	dir, err := os.MkdirTemp("", "mg")
	if err != nil {
		return nil, err
	}
	f := &fleet{dir: dir, served: serve, network: someNetwork()}
	for i, p := range places {
		g := &gateway{place: p, bin: bin, dir: filepath.Join(dir, strconv.Itoa(i+1))}
		f.gateways = append(f.gateways, g)
		if err := errors.Join(g.install(serve.models), g.start()); err != nil {
			f.stop()
			return nil, err
		}
	}
	for i, name := range proxies {
		p, err := f.startProxy(name, fmt.Sprintf("%s.%d", f.network, i+1))
		if err != nil {
			f.stop()
			return nil, err
		}
		f.proxies = append(f.proxies, p)
	}
	for _, g := range f.gateways {
		if err := f.awaitUse(g); err != nil {
			f.stop()
			return nil, err
		}
	}
	return f, nil
}

// stop ends everything.
func (f *fleet) stop() {
	for _, p := range f.proxies {
		p.stop()
	}
	for _, g := range f.gateways {
		g.kill()
	}
	_ = os.RemoveAll(f.dir)
}

// gateway is a `modelgateway serve` that can be started again.
type gateway struct {
	place
	dir, bin string
	cmd      *exec.Cmd
	exited   chan struct{}
}

// install writes what the gateway needs.
func (g *gateway) install(models string) error {
	if err := os.MkdirAll(filepath.Join(g.dir, "t"), 0o700); err != nil {
		return err
	}
	text := strings.NewReplacer("ADDRESS", g.address, "DIR", g.dir, "BIN", g.bin).Replace(config + models)
	return errors.Join(
		os.WriteFile(filepath.Join(g.dir, "config.yaml"), []byte(text), 0o600),
		os.WriteFile(filepath.Join(g.dir, "model.bin"), []byte("a model"), 0o600))
}

// endpoint is the address that its answers name.
func (g *gateway) endpoint() string { return g.address + ":50051" }

// start starts the gateway and waits until it is ready.
func (g *gateway) start() error {
	log, err := os.OpenFile(filepath.Join(g.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	args := append(slices.Clone(g.within), filepath.Join(g.bin, "modelgateway"), "serve", "--config", filepath.Join(g.dir, "config.yaml"))
	cmd := exec.Command(args[0], args[1:]...) //nolint:gosec // the built program
	cmd.Dir, cmd.Stdout, cmd.Stderr = g.dir, log, log
	cmd.Env = append(os.Environ(), "TMPDIR="+filepath.Join(g.dir, "t"), "RUNTIME_DIRECTORY=", "XDG_RUNTIME_DIR=")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return err
	}
	g.cmd, g.exited = cmd, make(chan struct{})
	go func(exited chan struct{}) {
		_ = cmd.Wait()
		close(exited)
	}(g.exited)
	return g.await("it is ready", func() bool {
		resp, err := http.Get("http://" + g.address + ":8001/readyz")
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
}

// await waits for a state of the gateway, which must not exit before.
func (g *gateway) await(what string, ok func() bool) error {
	for began := time.Now(); time.Since(began) < calls.Patience; time.Sleep(20 * time.Millisecond) {
		if ok() {
			return nil
		}
		select {
		case <-g.exited:
			return fmt.Errorf("%s exited before %s: %s", g.address, what, g.lastLog())
		default:
		}
	}
	return fmt.Errorf("%s: not after %v: %s: %s", g.address, calls.Patience, what, g.lastLog())
}

func (g *gateway) lastLog() string {
	text, _ := os.ReadFile(filepath.Join(g.dir, "log"))
	return string(text[max(0, len(text)-2000):])
}

// terminate ends the gateway as an operator does, and waits for its end.
func (g *gateway) terminate() error {
	_ = g.cmd.Process.Signal(syscall.SIGTERM)
	<-g.exited
	if code := g.cmd.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("%s ended with code %d: %s", g.address, code, g.lastLog())
	}
	return nil
}

// kill ends the gateway at once.
func (g *gateway) kill() {
	if g.cmd == nil {
		return
	}
	_ = g.cmd.Process.Kill()
	<-g.exited
}

// metric returns a gauge of a model.
func (g *gateway) metric(name, model string) int {
	resp, err := http.Get("http://" + g.address + ":8001/metrics")
	if err != nil {
		return 0
	}
	defer func() { _ = resp.Body.Close() }()
	return gauge(resp.Body, name+`{model="`+model+`"} `)
}

// gauge returns the value of a line of metrics.
func gauge(r io.Reader, prefix string) int {
	for lines := bufio.NewScanner(r); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), prefix); ok {
			n, _ := strconv.Atoi(value)
			return n
		}
	}
	return 0
}
