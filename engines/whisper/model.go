package whisper

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/lexilingo/modelgateway/engines"
	"github.com/lexilingo/modelgateway/engines/audio"
	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/engines/whisper/whispercpp"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// model is a loaded model.
type model struct {
	parameters parameters
	backend    *whispercpp.Backend
	weights    *whispercpp.Model
	threads    int
	work       *engines.WorkCounter

	// slots has an entry for each open stream. A stream has a state, which needs as
	// much memory as the weights of a small model.
	slots chan struct{}
	// streams counts the open streams, including those whose caller has left. Close
	// waits for them before it frees the weights. mutex protects closed: none may be
	// added after closed is set.
	streams sync.WaitGroup
	mutex   sync.Mutex
	closed  bool
	// lifetime ends when the model is closed.
	lifetime    context.Context
	endLifetime context.CancelFunc
}

var (
	_ engines.Model       = (*model)(nil)
	_ engines.Transcriber = (*model)(nil)
)

func newModel(backend *whispercpp.Backend, weights *whispercpp.Model, p parameters, opts engines.LoadOptions) *model {
	lifetime, end := context.WithCancel(context.Background())
	return &model{
		parameters:  p,
		backend:     backend,
		weights:     weights,
		threads:     max(1, opts.Threads),
		work:        opts.Work,
		slots:       make(chan struct{}, max(1, opts.MaxConcurrency)),
		lifetime:    lifetime,
		endLifetime: end,
	}
}

// Description implements engines.Model.
func (m *model) Description() string { return m.weights.Description() }

// closeTimeout is how long Close waits for computations to stop. Only the spectrogram
// of a long block takes longer; it ends with the process.
const closeTimeout = time.Second

// Close implements engines.Model.
func (m *model) Close() error {
	m.mutex.Lock()
	m.closed = true
	m.mutex.Unlock()
	m.endLifetime()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		m.streams.Wait()
		m.weights.Close()
	}()
	select {
	case <-ended:
		return nil
	case <-time.After(closeTimeout):
		return errors.New("a computation is still running")
	}
}

// selfTest creates a state and loads the voice activity model, so that missing memory
// and a bad file are errors of the load, not of the first call.
func (m *model) selfTest() error {
	s, err := m.open(m.lifetime)
	if err != nil {
		return err
	}
	s.close()
	return nil
}

// Transcribe implements engines.Transcriber.
func (m *model) Transcribe(ctx context.Context, cfg *gatewayv1.TranscriptionConfig, source engines.AudioSource, emit func(*gatewayv1.TranscriptionEvent) error) error {
	req, err := m.request(cfg)
	if err != nil {
		return err
	}
	s, err := m.open(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	reader := audio.NewReader(cfg.GetFormat(), source, audio.Limits{})
	reader.Skip(cfg.GetResumeFrom().GetCommittedTime().AsDuration())
	t := &transcription{model: m, request: req, stream: s, emit: emit}
	if cfg.GetInterimResults() {
		return t.live(s.ctx, reader)
	}
	defer func() { _ = reader.Close() }()
	return t.whole(s.ctx, reader)
}

// open waits for a slot and opens a stream.
func (m *model) open(ctx context.Context) (*stream, error) {
	select {
	case m.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-m.lifetime.Done():
		return nil, errClosing()
	}
	if !m.addStream() {
		<-m.slots
		return nil, errClosing()
	}
	s := &stream{model: m}
	s.ctx, s.cancel = context.WithCancel(ctx)
	s.stopWatching = context.AfterFunc(m.lifetime, s.cancel)
	if err := s.renew(); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// addStream counts a stream. It returns false if the model is closed, which does not
// prevent that a slot is free.
func (m *model) addStream() bool {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if !m.closed {
		m.streams.Add(1)
	}
	return !m.closed
}

func errClosing() error { return errs.New(errs.Draining, "the model is being unloaded: try again") }
