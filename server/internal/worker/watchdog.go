package worker

import (
	"fmt"
	"io"
	"os/exec"
	"sync"
	"syscall"
)

// watchdogScript reads the numbers of process groups and kills those that are left
// when its input ends, which is when the server ends.
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

// watchdog kills the process groups of workers if the server is killed: the
// parent-death signal reaches a worker, but not the children that it started. It
// is a shell of about 1 MB that waits in read(2). A system without a shell has no
// watchdog.
type watchdog struct {
	mu     sync.Mutex
	cmd    *exec.Cmd
	reaper *reaper
	input  io.WriteCloser
}

// startWatchdog starts the shell in a new session, so that the terminal's Ctrl-C
// does not end it.
func startWatchdog(r *reaper) (*watchdog, error) {
	cmd := exec.Command("/bin/sh", "-c", watchdogScript)
	cmd.Env = []string{}
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	input, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := r.start(cmd, cmd.Start); err != nil {
		return nil, err
	}
	return &watchdog{cmd: cmd, reaper: r, input: input}, nil
}

// add adds a process group.
func (w *watchdog) add(group int) { w.write("+ %d\n", group) }

// remove removes a process group. It must be called before the group's leader is
// reaped: the number may be reused after that.
func (w *watchdog) remove(group int) { w.write("- %d\n", group) }

func (w *watchdog) write(format string, group int) {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	// It fails only if the shell was killed; the worker still has its parent-death
	// signal.
	_, _ = fmt.Fprintf(w.input, format, group)
}

// close ends the shell.
func (w *watchdog) close() {
	if w == nil {
		return
	}
	_ = w.input.Close()
	_ = w.reaper.wait(w.cmd) // it ends at the end of its input
}
