package onnx

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"

	ort "github.com/yalue/onnxruntime_go"
)

// runs counts the runs of a session, so that Close frees it only after the last.
type runs struct {
	mutex   sync.Mutex
	closed  bool
	running sync.WaitGroup // includes abandoned runs
	destroy sync.Once

	// abandoned is the number of running computations whose caller has left. idle is
	// closed when it becomes 0; nil if it is 0.
	abandoned int
	idle      chan struct{}
}

var errClosed = errors.New("the model is closed")

// begin waits until abandoned runs have ended, and begins a run. Callers limit the
// number of concurrent runs, which an abandoned run would exceed.
func (r *runs) begin(ctx context.Context) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		idle, err := r.tryBegin()
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

// tryBegin begins a run, or returns the channel to wait for.
func (r *runs) tryBegin() (idle <-chan struct{}, err error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	switch {
	case r.closed:
		return nil, errClosed
	case r.idle != nil:
		return r.idle, nil
	}
	r.running.Add(1)
	return nil, nil
}

// abandon counts a run whose caller leaves.
func (r *runs) abandon() {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.abandoned++
	if r.idle == nil {
		r.idle = make(chan struct{})
	}
}

// endAbandoned counts the end of an abandoned run.
func (r *runs) endAbandoned() {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.abandoned--; r.abandoned == 0 {
		close(r.idle)
		r.idle = nil
	}
}

// Close waits for all runs, including cancelled ones that still compute a node, and
// frees the model. Later runs fail.
func (s *Session) Close() {
	s.runs.mutex.Lock()
	s.runs.closed = true
	s.runs.mutex.Unlock()
	s.runs.running.Wait()
	s.runs.destroy.Do(func() { _ = s.session.Destroy() }) // never fails
}

// Run computes all outputs from the inputs, by name. inputs must contain all inputs of
// the graph and no others. If the graph refuses them, for example because of their
// shapes, the error is not an *errs.Error.
//
// When ctx ends, Run returns the context's error at once. ONNX Runtime stops only
// between two nodes of a graph, and one node can be long: a convolution of HuBERT-large
// over 20 s of audio takes 0.4 to 2.4 s on two cores. The run is therefore abandoned: it
// computes the current node to its end and keeps its threads and memory until then. The
// next Run, and Close, wait for it. The caller must not change the data of inputs after
// Run returned the context's error.
func (s *Session) Run(ctx context.Context, inputs map[string]Tensor) (map[string]Tensor, error) {
	if err := s.runs.begin(ctx); err != nil {
		return nil, err
	}
	c, err := s.newCall(inputs)
	if err != nil {
		s.runs.running.Done()
		return nil, err
	}
	done := make(chan error, 1)
	go func() { done <- c.compute() }()
	select {
	case err = <-done:
	case <-ctx.Done():
		_ = c.options.Terminate() // never fails
		s.abandon(c, done)
		return nil, ctx.Err()
	}
	defer s.runs.running.Done()
	defer c.free()
	if err != nil {
		return nil, err
	}
	return c.results()
}

// abandon frees a call when it ends, without waiting for that.
func (s *Session) abandon(c *call, done <-chan error) {
	s.runs.abandon()
	go func() {
		defer s.runs.running.Done()
		<-done
		c.free()
		Trim()
		s.runs.endAbandoned()
	}()
}

// call contains the values of one run in ONNX Runtime.
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

// compute runs the graph to its end, or until it is terminated.
func (c *call) compute() error {
	err := c.session.session.RunWithOptions(c.in, c.out, c.options)
	runtime.KeepAlive(c.inputs) // ONNX Runtime reads their memory
	return err
}

// results returns the outputs as tensors.
func (c *call) results() (map[string]Tensor, error) {
	results := make(map[string]Tensor, len(c.out))
	for i, value := range c.out {
		name := c.session.outputs[i].Name
		t, err := tensorOf(value)
		if err != nil {
			return nil, fmt.Errorf("output %q is not supported: %w", name, err)
		}
		results[name] = t
	}
	return results, nil
}

func (c *call) free() {
	destroy(c.in)
	destroy(c.out)
	_ = c.options.Destroy() // never fails
}

// bind converts the inputs to values of ONNX Runtime, in the order of the graph. If it
// returns an error, it also returns the values that must be destroyed.
func (s *Session) bind(inputs map[string]Tensor) ([]ort.Value, error) {
	if len(inputs) != len(s.inputs) {
		return nil, fmt.Errorf("the graph has the inputs %v, got %d", names(s.inputs), len(inputs))
	}
	values := make([]ort.Value, 0, len(s.inputs))
	for _, info := range s.inputs {
		t, ok := inputs[info.Name]
		if !ok {
			return values, fmt.Errorf("the graph's input %q is missing", info.Name)
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
			_ = v.Destroy() // never fails
		}
	}
}
