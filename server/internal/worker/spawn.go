package worker

import (
	"fmt"
	"os/exec"

	"github.com/lexilingo/modelgateway/server/internal/worker/isolate"
)

// spawn starts cmd with the rights of a policy, from a thread of its own, which lives
// until ended is closed: the kernel sends the parent-death signal when the thread that
// forked ends, not when its process does. The process must have ended before that.
func spawn(cmd *exec.Cmd, policy isolate.Policy, support isolate.Support, ended <-chan struct{}) error {
	result := make(chan error, 1)
	isolate.Thread(func() {
		if err := isolate.Enter(policy, support); err != nil {
			result <- isolationError{err}
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

// isolationError is why a worker could not be isolated. It does not start then.
type isolationError struct{ error }

func (e isolationError) Error() string { return fmt.Sprintf("cannot isolate the worker: %v", e.error) }

func (e isolationError) Unwrap() error { return e.error }
