package worker_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lexilingo/modelgateway/server/internal/worker"
)

// orphansVariable makes TestOrphansAreReaped run in this process, which starts no
// other processes and may be the first of its namespace.
const orphansVariable = "WORKER_TEST_ORPHANS"

// Processes whose parents have ended must not remain as zombies, whether the server
// is the first process of its container or not, and the reaping must not take the
// exit status of a worker.
func TestOrphansAreReaped(t *testing.T) {
	if os.Getenv(orphansVariable) != "" {
		h := newHost(t, worker.Options{ReapOrphans: true})
		t.Run("children", func(t *testing.T) { reapsChildren(t, h) })
		t.Run("detached", func(t *testing.T) { reapsDetached(t, h) })
		t.Run("statuses", func(t *testing.T) { keepsStatuses(t, h) })
		return
	}
	namespace := []string{"unshare", "--pid", "--fork", "--mount-proc", "--kill-child"}
	for name, prefix := range map[string][]string{"first process": namespace, "subreaper": {"env"}} {
		t.Run(name, func(t *testing.T) {
			if out, err := exec.Command(prefix[0], append(prefix[1:], "true")...).CombinedOutput(); err != nil {
				t.Skipf("cannot run %v: %v: %s", prefix, err, out)
			}
			cmd := exec.Command(prefix[0], append(prefix[1:], os.Args[0], "-test.run=^TestOrphansAreReaped$", "-test.v")...)
			cmd.Env = append(os.Environ(), orphansVariable+"=1")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v:\n%s", err, out)
			}
		})
	}
}

func exists(pid int) bool {
	_, err := os.Stat(fmt.Sprintf("/proc/%d", pid))
	return err == nil
}

// reapsChildren ends workers that have a child in each of the ways they end.
func reapsChildren(t *testing.T, h *worker.Host) {
	for name, c := range map[string]struct {
		end  func(w worker.Worker)
		want string // in the exit error
	}{
		"stopped": {func(w worker.Worker) { w.Stop(time.Minute) }, ""},
		"killed":  {func(w worker.Worker) { _ = syscall.Kill(w.PID(), syscall.SIGKILL) }, "signal: killed"},
		"exits":   {func(w worker.Worker) { _, _ = invoke(t, w, "exit", nil) }, "exit status 3"},
	} {
		w := launchLoaded(t, h, spec(t, nil))
		got, err := invoke(t, w, "spawn_child", nil)
		if err != nil {
			t.Fatal(err)
		}
		child := int(got["pid"].(float64))
		c.end(w)
		<-w.Done()
		eventually(t, time.Minute, name+": the child of the worker is reaped", func() bool { return !exists(child) })
		if err := w.ExitError(); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: the exit error is %v", name, err)
		}
	}
}

// reapsDetached ends a process that has left the group of a worker, which runs on.
func reapsDetached(t *testing.T, h *worker.Host) {
	file := filepath.Join(t.TempDir(), "pid")
	s := spec(t, nil)
	s.Rights.Write = []string{filepath.Dir(file)}
	s.Command = []string{
		"/bin/sh", "-c", `(setsid sh -c 'echo $$ > "$0.tmp"; mv "$0.tmp" "$0"; exec sleep 1000' "$1" > /dev/null 2>&1 &); exec "$0"`,
		s.Command[0], file,
	}
	w := launchLoaded(t, h, s)
	var orphan int
	eventually(t, time.Minute, "the process writes its number", func() bool {
		text, err := os.ReadFile(file)
		orphan, _ = strconv.Atoi(strings.TrimSpace(string(text)))
		return err == nil
	})
	if err := syscall.Kill(orphan, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, time.Minute, "the detached process is reaped", func() bool { return !exists(orphan) })
	if _, err := invoke(t, w, "echo", nil); err != nil {
		t.Errorf("the worker: %v", err)
	}
	w.Stop(0)
	<-w.Done()
}

// keepsStatuses ends many workers at once, with a child each.
func keepsStatuses(t *testing.T, h *worker.Host) {
	var all sync.WaitGroup
	for range 12 {
		all.Go(func() {
			w, err := h.Launch(t.Context(), spec(t, nil))
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := w.Load(t.Context(), func(float64) {}); err != nil {
				t.Error(err)
			}
			_ = syscall.Kill(w.PID(), syscall.SIGKILL)
			<-w.Done()
			if err := w.ExitError(); err == nil || !strings.Contains(err.Error(), "signal: killed") {
				t.Errorf("the exit error is %v", err)
			}
		})
	}
	all.Wait()
}
