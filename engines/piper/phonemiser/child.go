package phonemiser

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// self is this process's program, even if its file has been replaced.
const self = "/proc/self/exe"

// child is a running phonemiser process.
type child struct {
	cmd       *exec.Cmd
	requests  io.WriteCloser
	responses *os.File
	reader    *bufio.Reader
	// ended is closed when the process has ended.
	ended chan struct{}
	// state is the exit status, valid after ended is closed.
	state string
}

// failure is the error of a child that ended, or was killed, without an answer.
type failure struct {
	// hung reports whether the child did not answer in time.
	hung  bool
	state string
}

func (f *failure) Error() string {
	if f.hung {
		return "the phonemiser did not answer in time"
	}
	return "the phonemiser crashed: " + f.state
}

// startChild starts a child and waits until it is ready, at most for timeout.
// environment is added to this process's environment.
func startChild(timeout time.Duration, environment ...string) (*child, error) {
	responses, childEnd, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer func() { _ = childEnd.Close() }() // the child has a copy
	cmd := exec.Command(self, childArgument)
	cmd.Args[0] = os.Args[0]
	// Crashes of the C library are expected. Go's traceback does not help.
	cmd.Env = append(append(os.Environ(), "GOTRACEBACK=none"), environment...)
	cmd.ExtraFiles = []*os.File{childEnd}
	// The child stays in the worker's process group, so that killing the group
	// kills both.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	requests, err := cmd.StdinPipe()
	if err != nil {
		return nil, errors.Join(err, responses.Close())
	}
	c := &child{cmd: cmd, requests: requests, responses: responses, reader: bufio.NewReader(responses), ended: make(chan struct{})}
	started := make(chan error, 1)
	go c.run(started)
	if err := <-started; err != nil {
		return nil, errors.Join(fmt.Errorf("cannot start the phonemiser: %w", err), responses.Close())
	}
	var ready response
	if err := c.await(timeout, func() error { return readFrame(c.reader, &ready) }); err != nil {
		return nil, err
	}
	if ready.Error != "" {
		c.end()
		return nil, errors.New(ready.Error)
	}
	return c, nil
}

// run starts the process and waits for its end. The kernel sends the parent-death
// signal when the thread that started the child ends, so that thread is locked
// until the child ends.
func (c *child) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := c.cmd.Start()
	started <- err
	if err != nil {
		return
	}
	_ = c.cmd.Wait() // state says more
	c.state = c.cmd.ProcessState.String()
	close(c.ended)
}

// exchange sends a request and returns the answer. If it returns an error, which is
// a *failure, the child has ended.
func (c *child) exchange(r request, timeout time.Duration) (answer response, err error) {
	err = c.await(timeout, func() error {
		return errors.Join(writeFrame(c.requests, r), readFrame(c.reader, &answer))
	})
	if err == nil && !r.Check && answer.Error == "" && !covers(answer, r.Text) {
		c.end()
		err = &failure{state: "its answer does not match the text"}
	}
	return answer, err
}

// await runs talk, which communicates with the child. If talk fails or takes longer
// than timeout, await ends the child and returns a *failure.
func (c *child) await(timeout time.Duration, talk func() error) error {
	late := make(chan struct{})
	timer := time.AfterFunc(timeout, func() {
		close(late)
		c.kill()
	})
	err := talk()
	if timer.Stop() && err == nil {
		return nil
	}
	c.end()
	select {
	case <-late:
		return &failure{hung: true}
	default:
		return &failure{state: c.state}
	}
}

func (c *child) kill() { _ = c.cmd.Process.Kill() } // fails only if the child has ended

// end kills the process if it is running and waits for its end.
func (c *child) end() {
	c.kill()
	<-c.ended
	_ = c.requests.Close()  // the child does not read it any more
	_ = c.responses.Close() // it was only read
}

// covers reports whether the clauses of r cover text without gaps. The answer of a
// child is not trusted, because its memory may be damaged.
func covers(r response, text string) bool {
	at := 0
	for _, c := range r.Clauses {
		if c.From != at || c.To < c.From || c.To > len(text) {
			return false
		}
		at = c.To
	}
	return at == len(text)
}
