package worker_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/opencontainers/cgroups"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/server/internal/worker"
)

// fullVariable makes the test binary a server in a cgroup with a limit; its value is
// the folder of the cgroup.
const fullVariable = "WORKER_TEST_CGROUP"

// The kernel kills a worker at the limit of its own cgroup.
func TestWorkerIsKilledForLackOfMemory(t *testing.T) {
	removeCgroup(t, makeCgroup(t)) // skips if there are none
	h := newHost(t, worker.Options{})
	s := spec(t, nil)
	s.MemoryLimitBytes = 300 << 20
	w := launchLoaded(t, h, s)
	_, err := invoke(t, w, "allocate", map[string]any{"bytes": 4 << 30})
	checkOutOfMemory(t, err, true)
	<-w.Done()
	checkOutOfMemory(t, w.ExitError(), true)

	w = launchLoaded(t, h, s)
	_ = syscall.Kill(w.PID(), syscall.SIGKILL)
	<-w.Done()
	checkOutOfMemory(t, w.ExitError(), false)
}

// The cgroup of the whole server is full. One worker is killed for that, and another
// one later by somebody else.
func TestServerHasNoMemoryLeft(t *testing.T) {
	if dir := os.Getenv(fullVariable); dir != "" {
		fillServer(t, dir)
		return
	}
	dir := makeCgroup(t)
	cmd := exec.Command(os.Args[0], "-test.run=^TestServerHasNoMemoryLeft$", "-test.v")
	cmd.Env = append(os.Environ(), fullVariable+"="+dir)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v:\n%s", err, out)
	}
	removeCgroup(t, dir)
}

func fillServer(t *testing.T, dir string) {
	if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(os.Getpid())), 0o200); err != nil {
		t.Fatal(err)
	}
	h := newHost(t, worker.Options{NoCgroups: true})
	victim, other := launchLoaded(t, h, spec(t, nil)), launchLoaded(t, h, spec(t, nil))
	_, err := invoke(t, victim, "allocate", map[string]any{"bytes": 4 << 30})
	checkOutOfMemory(t, err, true)
	_ = syscall.Kill(other.PID(), syscall.SIGKILL)
	<-other.Done()
	checkOutOfMemory(t, other.ExitError(), false)
}

func checkOutOfMemory(t *testing.T, err error, want bool) {
	t.Helper()
	e := errs.From(err)
	said := strings.Contains(e.Message(), "memory") && e.Metadata()["cause"] == "OUT_OF_MEMORY"
	if e.Reason() != errs.EngineCrashed || errors.Is(err, worker.ErrOutOfMemory) != want || said != want {
		t.Errorf("out of memory: want %v, got %v %v", want, err, e.Metadata())
	}
}

// makeCgroup makes a cgroup with a memory limit below that of this process. It skips
// the test where that is not possible.
func makeCgroup(t *testing.T) string {
	t.Helper()
	file := "memory.max"
	parent, err := cgroups.GetOwnCgroupPath("memory")
	if cgroups.IsCgroup2UnifiedMode() {
		var own map[string]string
		own, err = cgroups.ParseCgroupFile("/proc/self/cgroup")
		parent = filepath.Join("/sys/fs/cgroup", own[""])
	} else {
		file = "memory.limit_in_bytes"
	}
	if err != nil {
		t.Skip("there is no memory cgroup: ", err)
	}
	dir := filepath.Join(parent, fmt.Sprintf("modelgateway-test-%d", os.Getpid()))
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Skip("cannot make a cgroup: ", err)
	}
	if err := os.WriteFile(filepath.Join(dir, file), []byte(strconv.Itoa(700<<20)), 0o600); err != nil {
		removeCgroup(t, dir)
		t.Skip("cannot limit the memory of a cgroup: ", err)
	}
	return dir
}

func removeCgroup(t *testing.T, dir string) {
	t.Helper()
	if err := os.Remove(dir); err != nil {
		t.Error(err)
	}
}
