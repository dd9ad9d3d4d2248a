package main

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lexilingo/modelgateway/test/internal/calls"
)

// inNamespace is set in the process that runs the test in a network of its own.
const inNamespace = "MG_SCALE_NAMESPACE"

// A machine that is off the network: no call waits for it for long, and as soon as a
// proxy has noticed it, none goes there.
func TestMachineOffTheNetwork(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes half a minute")
	}
	needProxies(t)
	for _, name := range []string{"ip", "nsenter"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("%v; it is in Debian's packages iproute2 and util-linux", err)
		}
	}
	if os.Getenv(inNamespace) == "" {
		t.Parallel()
		runInNamespace(t)
		return
	}
	bin, err := filepath.Abs("../../bin")
	if err != nil {
		t.Fatal(err)
	}
	must(t, exec.Command("ip", "link", "set", "lo", "up"))
	var places []place
	for i := range size {
		places = append(places, machine(t, i+1))
	}
	f, err := newFleet(bin, faultModels(), places, envoy, haproxy)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.stop)
	testLinkDown(t, f)
}

// runInNamespace runs this test again, with a network of its own.
func runInNamespace(t *testing.T) {
	attr := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() != 0 {
		attr.Cloneflags |= syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	try := exec.Command("true")
	try.SysProcAttr = attr
	if err := try.Run(); err != nil {
		t.Skipf("this machine does not allow network namespaces: %v", err)
	}
	cmd := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v") //nolint:gosec // this test
	cmd.Env = append(os.Environ(), inNamespace+"=1")
	cmd.SysProcAttr = attr
	cmd.Stdout, cmd.Stderr = t.Output(), t.Output()
	if err := cmd.Run(); err != nil {
		t.Error(err)
	}
}

func must(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", cmd, err, out)
	}
}

// machine makes a network namespace that a link connects with this one.
func machine(t *testing.T, n int) place {
	holder := exec.Command("sleep", "infinity")
	holder.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = holder.Process.Kill()
		_ = holder.Wait()
	})
	within := []string{"nsenter", "-t", fmt.Sprint(holder.Process.Pid), "-n"}
	here, there := fmt.Sprintf("10.77.%d.1", n), fmt.Sprintf("10.77.%d.2", n)
	must(t, exec.Command("ip", "link", "add", fmt.Sprintf("m%d", n), "type", "veth", "peer", "name", "eth0", "netns", fmt.Sprint(holder.Process.Pid)))
	must(t, exec.Command("ip", "addr", "add", here+"/24", "dev", fmt.Sprintf("m%d", n)))
	must(t, exec.Command("ip", "link", "set", fmt.Sprintf("m%d", n), "up"))
	for _, args := range [][]string{
		{"ip", "link", "set", "lo", "up"}, {"ip", "addr", "add", there + "/24", "dev", "eth0"},
		{"ip", "link", "set", "eth0", "up"}, {"ip", "route", "add", "default", "via", here},
	} {
		must(t, exec.Command(within[0], append(within[1:], args...)...)) //nolint:gosec // the commands above
	}
	return place{address: there, within: within}
}

// testLinkDown makes calls without deadlines: if nothing else ended them, they would wait
// as long as TCP does, which is a quarter of an hour.
func testLinkDown(t *testing.T, f *fleet) {
	victim := f.gateways[1]
	before := map[string]*load{}
	run := func(l *load, p *proxy, text string) {
		for _, c := range append(unaries(), calls.StreamChats()...) {
			l.run(p, c, calls.Ask{Model: "quick", Text: text})
		}
	}
	for _, p := range f.proxies {
		before[p.name] = &load{}
		run(before[p.name], p, lengthy)
	}
	if err := victim.await("calls are at work there", func() bool { return victim.metric("modelgateway_requests_active", "quick") > 4 }); err != nil {
		t.Fatal(err)
	}
	must(t, exec.Command(victim.within[0], append(victim.within[1:], "ip", "link", "set", "eth0", "down")...)) //nolint:gosec // the machine's own command
	down := time.Now()
	for _, p := range f.proxies {
		run(before[p.name], p, calls.Hello) // over connections that the proxy does not know to be lost
	}
	for _, p := range f.proxies {
		if err := victim.await(p.name+" notices", func() bool { return p.avoids(victim, "s2") }); err != nil {
			t.Fatal(err)
		}
		noticed, after := time.Now(), &load{}
		run(after, p, calls.Hello)
		after.running.Wait()
		if err := after.check(); err != nil {
			t.Errorf("%s: after the link was noticed to be down, %v", p.name, err)
		}
		took := time.Since(noticed)
		before[p.name].running.Wait()
		t.Logf("%s: noticed within %v; the last of the calls before that ended within %v; those begun after it took %v",
			p.name, noticed.Sub(down).Round(time.Millisecond), time.Since(down).Round(time.Millisecond), took.Round(time.Millisecond))
		if most := calls.Patience / 2; time.Since(noticed) > most {
			t.Errorf("%s: calls to the machine ended %v after it was noticed to be off the network, want less than %v", p.name, time.Since(noticed), most)
		}
	}
	// Calls are lost whose answer had begun, and no other call hangs.
	for name, l := range before {
		t.Logf("%s: %d of %d calls failed that were begun before", name, len(l.failures), l.made)
		for _, failure := range l.failures {
			if strings.Contains(failure, calls.Unanswered) {
				t.Error(failure)
			}
		}
	}
}

// avoids reports whether a proxy knows, wherever it could send requests to a gateway, that
// it cannot. server is HAProxy's name of it.
func (p *proxy) avoids(g *gateway, server string) bool {
	if p.name == haproxy {
		log, _ := os.ReadFile(p.log)
		return strings.Count(string(log), "/"+server+" is DOWN") >= 4
	}
	resp, err := http.Get("http://" + p.address + ":9901/clusters")
	if err != nil {
		return false
	}
	defer func() { _ = resp.Body.Close() }()
	n := 0
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		line := lines.Text()
		if strings.Contains(line, "::"+g.address+":") && strings.Contains(line, "::health_flags::") && strings.Contains(line, "/failed_active_hc") {
			n++
		}
	}
	return n == 6
}
