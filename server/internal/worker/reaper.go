package worker

import (
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// reaper reaps the processes that workers leave behind. A process whose parent has
// ended becomes a child of the server if the server is the first process of its
// container or, as the reaper makes it, a subreaper. It remains a zombie until its
// new parent waits for it. The processes that the host starts are not reaped here:
// their exit status would be lost.
//
// A nil reaper reaps nothing.
type reaper struct {
	wake chan os.Signal
	done chan struct{}

	mu  sync.Mutex
	own map[int]bool // processes that the host has started and waits for
}

func startReaper() (*reaper, error) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return nil, err
	}
	r := &reaper{wake: make(chan os.Signal, 1), done: make(chan struct{}), own: map[int]bool{}}
	signal.Notify(r.wake, syscall.SIGCHLD)
	go func() {
		defer close(r.done)
		for range r.wake {
			r.reap()
		}
	}()
	return r, nil
}

// start calls start, which starts cmd, and remembers the process.
func (r *reaper) start(cmd *exec.Cmd, start func() error) error {
	if r == nil {
		return start()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	err := start()
	if err == nil {
		r.own[cmd.Process.Pid] = true
	}
	return err
}

// wait waits for the end of a process that start started.
func (r *reaper) wait(cmd *exec.Cmd) error {
	err := cmd.Wait()
	if r == nil {
		return err
	}
	r.mu.Lock()
	delete(r.own, cmd.Process.Pid)
	r.mu.Unlock()
	// The kernel may omit children from a list that is read while one is reaped.
	r.reap()
	return err
}

// reap reaps the children that have ended, except those that the host has started.
func (r *reaper) reap() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, pid := range children(os.Getpid()) {
		if !r.own[pid] {
			_, _ = unix.Wait4(pid, nil, unix.WNOHANG, nil) // most have not ended
		}
	}
}

// close ends the reaper.
func (r *reaper) close() {
	if r == nil {
		return
	}
	signal.Stop(r.wake)
	close(r.wake)
	<-r.done
}
