package worker

import (
	"errors"
	"os/exec"
	"runtime"

	"golang.org/x/sys/unix"
)

// spawner starts processes from one dedicated operating system thread.
//
// The kernel sends the parent-death signal when the thread that forked ends, not
// when its process does: a worker that was started from an ordinary goroutine
// would be killed when the Go runtime ends that thread. This thread lives until
// close. It also gives up new privileges (setuid programs) for its children,
// which does not affect the rest of the server.
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
	// Never unlocked: the thread must not run other goroutines after this one, and
	// the runtime ends it.
	runtime.LockOSThread()
	// Old kernels and sandboxes refuse this; workers can gain privileges then.
	_ = unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
	for job := range s.jobs {
		job()
	}
}

// start starts cmd from the thread.
func (s *spawner) start(cmd *exec.Cmd) error {
	result := make(chan error, 1)
	select {
	case s.jobs <- func() { result <- cmd.Start() }:
		return <-result
	case <-s.done:
		return errors.New("the worker host is closed")
	}
}

// close ends the thread. All processes that it started must have ended, and start
// must not be running.
func (s *spawner) close() {
	close(s.jobs)
	<-s.done
}
