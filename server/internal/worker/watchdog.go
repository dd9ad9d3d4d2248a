package worker

import (
	"fmt"
	"io"
	"os/exec"
	"sync"
	"syscall"
)

// watchdogScript remembers process groups and kills the rest of them when its
// input ends, which is when the gateway does.
const watchdogScript = `
trap '' HUP INT TERM
groups=' '
while read -r op id; do
  case $op in
    +) groups="$groups$id " ;;
    -) groups="${groups%% $id *} ${groups#* $id }" ;;
  esac
done
for id in $groups; do kill -9 "-$id" 2>/dev/null; done
`

// watchdog kills the process groups of workers if the gateway is killed: the
// parent-death signal reaches a worker, but not the children that it started.
// It is a shell of about 1 MB that sleeps in read(2), so that it costs nothing
// and nothing can go wrong in it. Without a shell there is none.
type watchdog struct {
	mu    sync.Mutex
	cmd   *exec.Cmd
	input io.WriteCloser
}

// startWatchdog starts the shell in a session of its own, out of reach of the
// terminal's Ctrl-C.
func startWatchdog() (*watchdog, error) {
	cmd := exec.Command("/bin/sh", "-c", watchdogScript)
	cmd.Env = []string{}
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	input, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &watchdog{cmd: cmd, input: input}, nil
}

// add begins to watch over a process group.
func (w *watchdog) add(group int) { w.write("+ %d\n", group) }

// remove ends it. It must come before the group's leader is reaped: its number
// may mean somebody else afterwards.
func (w *watchdog) remove(group int) { w.write("- %d\n", group) }

func (w *watchdog) write(format string, group int) {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	// It fails only if somebody killed the shell; the worker still has its
	// parent-death signal.
	_, _ = fmt.Fprintf(w.input, format, group)
}

// close ends the shell.
func (w *watchdog) close() {
	if w == nil {
		return
	}
	_ = w.input.Close()
	_ = w.cmd.Wait() // it ends by itself at the end of its input
}
