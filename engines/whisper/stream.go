package whisper

import (
	"cmp"
	"context"
	"errors"
	"path/filepath"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/engines/whisper/whispercpp"
)

// stream contains what one call uses of whisper.cpp. Its methods must not be called
// concurrently.
type stream struct {
	model        *model
	ctx          context.Context
	cancel       context.CancelFunc
	stopWatching func() bool // of the model's lifetime

	state *whispercpp.State
	// positions is the context of the runs of the state; 0 if there was none.
	positions int
	vad       *whispercpp.VAD // nil without a voice activity model

	// abandoned is closed when the abandoned computation has ended; nil if there is
	// none.
	abandoned chan struct{}
}

// renew replaces the state by a new one, with which whisper-cli starts too: the random
// numbers of the decoders would continue from run to run otherwise.
func (s *stream) renew() error {
	if s.state != nil {
		s.state.Close()
		s.state = nil
	}
	state, err := s.model.weights.NewState()
	if err != nil {
		return errs.New(errs.MemoryBusy, "there is not enough memory for another transcription: try again later").WithCause(err)
	}
	s.state, s.positions = state, 0
	if path := s.model.parameters.VADModel; path != "" && s.vad == nil {
		if s.vad, err = s.model.backend.OpenVAD(path, s.model.threads); err != nil {
			return errs.New(errs.ModelFileInvalid,
				"the voice activity model %s cannot be loaded by whisper.cpp %s: %v; fetch it again",
				filepath.Base(path), whispercpp.Version(), err).WithCause(err)
		}
	}
	return nil
}

// contextPad is the multiple to which whisper.cpp pads the context.
const contextPad = 256

// fit renews the state if a run with this context, 0 for the full one, could read what
// runs with another one have left: whisper.cpp does not mask the padding, nor clear it.
func (s *stream) fit(audioContext int) error {
	positions := cmp.Or(audioContext, windowSeconds*framesPerSecond)
	pads := func(n int) int { return (n + contextPad - 1) / contextPad }
	if s.positions > 0 && (positions < s.positions || pads(positions) != pads(s.positions)) {
		if err := s.renew(); err != nil {
			return err
		}
	}
	s.positions = positions
	return nil
}

// close frees the stream, at once or when its abandoned computation has ended.
func (s *stream) close() {
	s.cancel()
	s.stopWatching()
	free := func() {
		if s.state != nil {
			s.state.Close()
		}
		if s.vad != nil {
			s.vad.Close()
		}
		<-s.model.slots
		s.model.streams.Done()
	}
	if s.abandoned == nil {
		free()
		return
	}
	go func() {
		<-s.abandoned
		free()
	}()
}

// computation is a computation that stream.do runs, as in package whispercpp.
type computation interface {
	Abort()
	Graphs() uint64
	Nodes() uint64
}

// heartbeat is how often a running computation is checked for progress.
const heartbeat = 500 * time.Millisecond

// do runs compute in a goroutine and counts its work. It calls deliver for each segment
// that it receives from found, which may be nil.
//
// When the stream's context ends, do aborts the computation and returns without waiting
// for its end: some parts cannot be aborted, such as the mel spectrogram of a long
// block. The stream is freed when the computation has ended. Until then, the caller
// must not change what compute uses.
func (s *stream) do(c computation, compute func() error, found <-chan whispercpp.Segment, deliver func(whispercpp.Segment) error) error {
	if err := s.ctx.Err(); err != nil {
		return err
	}
	done, ended := make(chan error, 1), make(chan struct{})
	go func() {
		defer close(ended)
		done <- compute()
	}()
	defer s.countWork(c)()
	for {
		select {
		case segment := <-found:
			if err := deliver(segment); err != nil {
				s.abandon(c, ended)
				return err
			}
		case err := <-done:
			switch {
			case errors.Is(err, whispercpp.ErrAborted) && s.ctx.Err() != nil:
				return s.ctx.Err()
			case err != nil:
				return errs.New(errs.Internal, "%v", err).WithCause(err)
			}
			return nil
		case <-s.ctx.Done():
			s.abandon(c, ended)
			return s.ctx.Err()
		}
	}
}

// abandon aborts a computation without waiting for its end.
func (s *stream) abandon(c computation, ended chan struct{}) {
	s.cancel()
	c.Abort()
	s.abandoned = ended
}

// run transcribes samples. It calls deliver for each segment as soon as it is found.
// window is called before each window, in another goroutine; if it returns false, the
// run ends.
func (s *stream) run(opts whispercpp.Options, samples []float32, window func(percent int) bool, deliver func(whispercpp.Segment) error) error {
	if err := s.fit(opts.AudioContext); err != nil {
		return err
	}
	found := make(chan whispercpp.Segment)
	events := whispercpp.Events{Window: window, Segment: func(segment whispercpp.Segment) {
		select {
		case found <- segment:
		case <-s.ctx.Done():
		}
	}}
	return s.do(s.state, func() error { return s.state.Run(opts, samples, events) }, found, deliver)
}

// detect returns the language of samples and its probability.
func (s *stream) detect(samples []float32, audioContext int) (int, float32, error) {
	if err := s.fit(audioContext); err != nil {
		return 0, 0, err
	}
	// The results are returned only if the computation has ended: an abandoned one
	// still writes to these variables.
	var id int
	var probability float32
	err := s.do(s.state, func() (err error) {
		id, probability, err = s.state.DetectLanguage(samples, s.model.threads, audioContext)
		return err
	}, nil, nil)
	if err != nil {
		return 0, 0, err
	}
	return id, probability, nil
}

// speech returns the stretches of samples that contain speech.
func (s *stream) speech(samples []float32) ([]whispercpp.Span, error) {
	var found []whispercpp.Span // as in detect
	err := s.do(s.vad, func() (err error) {
		found, err = s.vad.Speech(samples, s.model.parameters.vad())
		return err
	}, nil, nil)
	if err != nil {
		return nil, err
	}
	return found, nil
}

// countWork counts each graph of a computation as a unit of work until stop is called.
// A heartbeat in which no graph but some nodes were computed counts as a unit too: the
// encoder of a large model is one graph of ten seconds or more.
func (s *stream) countWork(c computation) (stop func()) {
	done, stopped := make(chan struct{}), make(chan struct{})
	graphs, nodes := c.Graphs(), c.Nodes()
	poll := func() {
		newGraphs, newNodes := c.Graphs(), c.Nodes()
		switch {
		case newGraphs > graphs:
			s.model.work.Add(int(newGraphs - graphs)) //nolint:gosec // a few thousand
		case newNodes > nodes:
			s.model.work.Add(1)
		}
		graphs, nodes = newGraphs, newNodes
	}
	go func() {
		defer close(stopped)
		ticker := time.NewTicker(heartbeat)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				poll()
				return
			case <-ticker.C:
				poll()
			}
		}
	}()
	return func() { close(done); <-stopped }
}
