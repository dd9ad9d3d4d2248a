package onnx

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"

	ort "github.com/yalue/onnxruntime_go"
)

// runs counts a session's runs, so that nothing is freed that one of them uses.
type runs struct {
	mutex   sync.Mutex
	closed  bool
	under   sync.WaitGroup // all that compute
	destroy sync.Once

	// left is how many compute for a caller that is gone; idle is closed when it
	// comes back to 0, and nil while it is.
	left int
	idle chan struct{}
}

var errClosed = errors.New("the model is closed")

// enter begins a run, when the runs that were left behind have ended: each
// caller has the place of one run, and what was left behind still fills one.
func (r *runs) enter(ctx context.Context) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		idle, err := r.tryEnter()
		if err != nil || idle == nil {
			return err
		}
		select {
		case <-idle:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// tryEnter begins a run, or returns the channel to wait for.
func (r *runs) tryEnter() (idle <-chan struct{}, err error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	switch {
	case r.closed:
		return nil, errClosed
	case r.idle != nil:
		return r.idle, nil
	}
	r.under.Add(1)
	return nil, nil
}

// leave notes that a run goes on without its caller.
func (r *runs) leave() {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.left++
	if r.idle == nil {
		r.idle = make(chan struct{})
	}
}

// ended notes the end of a run that was left behind.
func (r *runs) ended() {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.left--; r.left == 0 {
		close(r.idle)
		r.idle = nil
	}
}

// Close waits for runs under way, those included that were cancelled and are at
// their last node, and frees the model. Runs after it fail.
func (s *Session) Close() {
	s.runs.mutex.Lock()
	s.runs.closed = true
	s.runs.mutex.Unlock()
	s.runs.under.Wait()
	s.runs.destroy.Do(func() { _ = s.session.Destroy() }) // it never fails
}

// Run computes every output from the inputs, by name. It takes all of the
// graph's inputs and no others. What the graph refuses, e.g. because of shapes
// that do not fit together, is an untyped error.
//
// When ctx ends, Run returns ctx's error at once. ONNX Runtime stops between two
// nodes of a graph only, and one node can be long: a convolution of HuBERT-large
// over 20 s of audio takes 0.4 to 2.4 s on two cores. So the node under way is left to
// its end, which nobody waits for but the session: until then it keeps a core
// per thread and the run's memory, the next Run waits, and so does Close. What
// inputs point to must not be changed after Run returned with ctx's error.
func (s *Session) Run(ctx context.Context, inputs map[string]Tensor) (map[string]Tensor, error) {
	if err := s.runs.enter(ctx); err != nil {
		return nil, err
	}
	c, err := s.newCall(inputs)
	if err != nil {
		s.runs.under.Done()
		return nil, err
	}
	done := make(chan error, 1)
	go func() { done <- c.compute() }()
	select {
	case err = <-done:
	case <-ctx.Done():
		_ = c.options.Terminate() // it never fails
		s.leave(c, done)
		return nil, ctx.Err()
	}
	defer s.runs.under.Done()
	defer c.free()
	if err != nil {
		return nil, err
	}
	return c.results()
}

// leave lets a call come to its end without its caller, and frees it then.
func (s *Session) leave(c *call, done <-chan error) {
	s.runs.leave()
	go func() {
		defer s.runs.under.Done()
		<-done
		c.free()
		Trim()
		s.runs.ended()
	}()
}

// call is what one run holds of ONNX Runtime.
type call struct {
	session *Session
	inputs  map[string]Tensor
	in, out []ort.Value
	options *ort.RunOptions
}

func (s *Session) newCall(inputs map[string]Tensor) (*call, error) {
	in, err := s.bind(inputs)
	if err != nil {
		destroy(in)
		return nil, err
	}
	options, err := ort.NewRunOptions()
	if err != nil {
		destroy(in)
		return nil, err
	}
	return &call{session: s, inputs: inputs, in: in, out: make([]ort.Value, len(s.outputs)), options: options}, nil
}

// compute runs the graph, to its end or to the node after which it is told to
// stop.
func (c *call) compute() error {
	err := c.session.session.RunWithOptions(c.in, c.out, c.options)
	runtime.KeepAlive(c.inputs) // ONNX Runtime reads their memory
	return err
}

// results takes the outputs out of ONNX Runtime's memory.
func (c *call) results() (map[string]Tensor, error) {
	results := make(map[string]Tensor, len(c.out))
	for i, value := range c.out {
		name := c.session.outputs[i].Name
		t, err := tensorOf(value)
		if err != nil {
			return nil, fmt.Errorf("output %q cannot be used: %w", name, err)
		}
		results[name] = t
	}
	return results, nil
}

func (c *call) free() {
	destroy(c.in)
	destroy(c.out)
	_ = c.options.Destroy() // it never fails
}

// bind makes ONNX Runtime's values of the inputs, in the graph's order. The
// values that it made are returned with an error too.
func (s *Session) bind(inputs map[string]Tensor) ([]ort.Value, error) {
	if len(inputs) != len(s.inputs) {
		return nil, fmt.Errorf("the graph has the inputs %v; %d were given", names(s.inputs), len(inputs))
	}
	values := make([]ort.Value, 0, len(s.inputs))
	for _, info := range s.inputs {
		t, ok := inputs[info.Name]
		if !ok {
			return values, fmt.Errorf("the graph's input %q is not given", info.Name)
		}
		if t.Type() != info.Type {
			return values, fmt.Errorf("the graph's input %q is %s, not %s", info.Name, TypeName(info.Type), TypeName(t.Type()))
		}
		v, err := t.value()
		if err != nil {
			return values, fmt.Errorf("input %q: %w", info.Name, err)
		}
		values = append(values, v)
	}
	return values, nil
}

func destroy(values []ort.Value) {
	for _, v := range values {
		if v != nil {
			_ = v.Destroy() // it never fails
		}
	}
}
