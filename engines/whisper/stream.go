package whisper

import (
	"context"
	"errors"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/engines/whisper/whispercpp"
)

// stream is what one call holds of whisper.cpp. Its methods are for one goroutine.
type stream struct {
	model  *model
	ctx    context.Context
	cancel context.CancelFunc
	unhook func() bool

	state *whispercpp.State
	vad   *whispercpp.VAD // nil without a voice activity model

	// left is closed when a computation that outlived its caller has ended; nil
	// if there is none.
	left chan struct{}
}

// renew makes the state anew, as whisper-cli starts: the random numbers of its
// decoders go on from run to run otherwise.
func (s *stream) renew() error {
	if s.state != nil {
		s.state.Close()
		s.state = nil
	}
	state, err := s.model.weights.NewState()
	if err != nil {
		return errs.New(errs.MemoryBusy, "there is no memory for one more transcription").WithCause(err)
	}
	s.state = state
	if path := s.model.parameters.VADModel; path != "" && s.vad == nil {
		if s.vad, err = s.model.backend.OpenVAD(path, s.model.threads); err != nil {
			return errs.New(errs.ModelFileInvalid,
				"the voice activity model %s cannot be used: whisper.cpp %s says: %v; fetch it again",
				path, whispercpp.Version(), err).With("path", path).WithCause(err)
		}
	}
	return nil
}

// close gives the state back, at once or when its computation has ended.
func (s *stream) close() {
	s.cancel()
	s.unhook()
	free := func() {
		if s.state != nil {
			s.state.Close()
		}
		if s.vad != nil {
			s.vad.Close()
		}
		<-s.model.places
		s.model.streams.Done()
	}
	if s.left == nil {
		free()
		return
	}
	go func() {
		<-s.left
		free()
	}()
}

// computation is what stream.do stops and watches.
type computation interface {
	Abort()
	Computed() uint64
	Beats() uint64
}

// heartbeat is how often a computation under way is looked at for progress.
const heartbeat = 500 * time.Millisecond

// do computes in a goroutine of its own and counts its work; what compute finds on
// the way comes through found (nil: nothing does) and is given to deliver.
//
// When the stream's context ends, compute is told to stop, and its end is not
// waited for: what cannot be stopped, as the mel spectrogram of a long block, ends
// by itself, and the stream is freed after that. What compute uses must not be
// changed then.
func (s *stream) do(c computation, compute func() error, found <-chan whispercpp.Segment, deliver func(whispercpp.Segment) error) error {
	if err := s.ctx.Err(); err != nil {
		return err
	}
	done, left := make(chan error, 1), make(chan struct{})
	go func() {
		defer close(left)
		done <- compute()
	}()
	defer s.count(c)()
	for {
		select {
		case segment := <-found:
			if err := deliver(segment); err != nil {
				s.leave(c, left)
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
			s.leave(c, left)
			return s.ctx.Err()
		}
	}
}

// leave gives up a computation.
func (s *stream) leave(c computation, left chan struct{}) {
	s.cancel()
	c.Abort()
	s.left = left
}

// run transcribes samples; deliver gets each segment as soon as it is found, and
// window is asked before each window, from another goroutine.
func (s *stream) run(opts whispercpp.Options, samples []float32, window func(percent int) bool, deliver func(whispercpp.Segment) error) error {
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
func (s *stream) detect(samples []float32) (int, float32, error) {
	// What a computation finds is looked at after its end only: one that is given up
	// goes on, and would write what is returned here.
	var id int
	var probability float32
	err := s.do(s.state, func() (err error) {
		id, probability, err = s.state.DetectLanguage(samples, s.model.threads)
		return err
	}, nil, nil)
	if err != nil {
		return 0, 0, err
	}
	return id, probability, nil
}

// speech returns the stretches of samples that hold speech.
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

// count counts the graphs that a computation computes, and a unit for each
// heartbeat in which it was at work on one, until the function that it returns is
// called: the encoder of a large model is one graph of ten seconds and more.
func (s *stream) count(c computation) (stop func()) {
	done, stopped := make(chan struct{}), make(chan struct{})
	computed, beats := c.Computed(), c.Beats()
	look := func() {
		nowComputed, nowBeats := c.Computed(), c.Beats()
		switch {
		case nowComputed > computed:
			s.model.work.Add(int(nowComputed - computed)) //nolint:gosec // a few thousand
		case nowBeats > beats:
			s.model.work.Add(1)
		}
		computed, beats = nowComputed, nowBeats
	}
	go func() {
		defer close(stopped)
		ticker := time.NewTicker(heartbeat)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				look()
				return
			case <-ticker.C:
				look()
			}
		}
	}()
	return func() { close(done); <-stopped }
}
