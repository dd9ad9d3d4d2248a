package isolate

import (
	"fmt"
	"os/exec"
)

// Start starts cmd with the rights of a policy, from a thread of its own, which lives
// until ended is closed: the kernel sends the parent-death signal when the thread that
// forked ends, not when its process does. The process must have ended before that.
func Start(cmd *exec.Cmd, policy Policy, support Support, ended <-chan struct{}) error {
	result := make(chan error, 1)
	Thread(func() {
		if err := Enter(policy, support); err != nil {
			result <- Error{err}
			return
		}
		err := cmd.Start()
		result <- err
		if err == nil {
			<-ended
		}
	})
	return <-result
}

// Error is why a process could not be isolated. It does not start then.
type Error struct{ error }

func (e Error) Error() string { return fmt.Sprintf("cannot isolate the process: %v", e.error) }

// Unwrap returns the cause.
func (e Error) Unwrap() error { return e.error }
