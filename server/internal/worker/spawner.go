package worker

import (
	"errors"
	"os/exec"
	"runtime"

	"golang.org/x/sys/unix"
)

// spawner starts processes on one operating system thread of its own.
//
// The kernel's parent-death signal is tied to the thread that forked, not to
// the process: started from an ordinary goroutine, a worker would be killed
// when the Go runtime retires that thread. This thread lives until close. It
// also gives up new privileges (setuid programs), which its children inherit,
// without touching the rest of the gateway.
type spawner struct {
	jobs chan func()
	done chan struct{}
}

func newSpawner() *spawner {
	s := &spawner{jobs: make(chan func()), done: make(chan struct{})}
	go s.loop()
	return s
}

func (s *spawner) loop() {
	defer close(s.done)
	// Never unlocked: the runtime ends the thread with the goroutine, since it
	// is not fit for others any more.
	runtime.LockOSThread()
	// Old kernels and sandboxes refuse; a worker is then as it was without.
	_ = unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
	for job := range s.jobs {
		job()
	}
}

// start starts cmd on the thread.
func (s *spawner) start(cmd *exec.Cmd) error {
	result := make(chan error, 1)
	select {
	case s.jobs <- func() { result <- cmd.Start() }:
		return <-result
	case <-s.done:
		return errors.New("the worker host is closed")
	}
}

// close ends the thread. All that it started must have ended before. No start
// may be under way.
func (s *spawner) close() {
	close(s.jobs)
	<-s.done
}
