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

// self is this process's program, also when its file was replaced meanwhile.
const self = "/proc/self/exe"

// child is a running process that phonemises.
type child struct {
	cmd       *exec.Cmd
	requests  io.WriteCloser
	responses *os.File
	reader    *bufio.Reader
	// ended is closed when the process has ended; state tells how.
	ended chan struct{}
	state string
}

// failure tells that a child ended, or was ended, without an answer.
type failure struct {
	// hung tells that it was waited for in vain.
	hung  bool
	state string
}

func (f *failure) Error() string {
	if f.hung {
		return "the phonemiser hung"
	}
	return "the phonemiser crashed: " + f.state
}

// startChild starts a child and waits until it is ready, for no longer than
// patience. environment is added to this process's own.
func startChild(patience time.Duration, environment ...string) (*child, error) {
	responses, theirs, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer func() { _ = theirs.Close() }() // the child has its own
	cmd := exec.Command(self, childArgument)
	cmd.Args[0] = os.Args[0]
	// A crash of the C library is expected; Go's account of it would tell nothing.
	cmd.Env = append(append(os.Environ(), "GOTRACEBACK=none"), environment...)
	cmd.ExtraFiles = []*os.File{theirs}
	// Its group is the worker's: who kills that one kills both.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	requests, err := cmd.StdinPipe()
	if err != nil {
		return nil, errors.Join(err, responses.Close())
	}
	c := &child{cmd: cmd, requests: requests, responses: responses, reader: bufio.NewReader(responses), ended: make(chan struct{})}
	started := make(chan error, 1)
	go c.run(started)
	if err := <-started; err != nil {
		return nil, errors.Join(fmt.Errorf("the phonemiser's process cannot be started: %w", err), responses.Close())
	}
	var ready response
	if err := c.await(patience, func() error { return readFrame(c.reader, &ready) }); err != nil {
		return nil, err
	}
	if ready.Error != "" {
		c.end()
		return nil, errors.New(ready.Error)
	}
	return c, nil
}

// run starts the process and waits for its end. The kernel's parent-death signal
// is tied to the thread that forked: it is kept for as long as the child lives.
func (c *child) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := c.cmd.Start()
	started <- err
	if err != nil {
		return
	}
	_ = c.cmd.Wait() // the state tells more
	c.state = c.cmd.ProcessState.String()
	close(c.ended)
}

// exchange asks and returns the answer. With an error, which is a failure, the
// child is no more.
func (c *child) exchange(r request, patience time.Duration) (answer response, err error) {
	err = c.await(patience, func() error {
		return errors.Join(writeFrame(c.requests, r), readFrame(c.reader, &answer))
	})
	if err == nil && !r.Check && answer.Error == "" && !covers(answer, r.Text) {
		c.end()
		err = &failure{state: "its answer is not of the text"}
	}
	return answer, err
}

// await runs what talks to the child; a child that fails, or takes longer than
// patience, is ended.
func (c *child) await(patience time.Duration, talk func() error) error {
	late := make(chan struct{})
	timer := time.AfterFunc(patience, func() {
		close(late)
		_ = c.cmd.Process.Kill() // it fails only if it has ended
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

// end kills the process, if it still runs, and waits for its end.
func (c *child) end() {
	_ = c.cmd.Process.Kill() // as above
	<-c.ended
	_ = c.requests.Close()  // Wait has closed it, or nobody reads it
	_ = c.responses.Close() // it was only read
}

// covers tells whether clauses are those of a text: what comes from a process
// whose memory may be damaged is not trusted.
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
