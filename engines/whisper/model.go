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

	// places has an entry for each stream that holds a state: a state costs as
	// much memory as the weights of a small model.
	places chan struct{}
	// streams counts states, also those whose caller is gone. None comes after
	// closed, which mutex guards: Close waits for them, and frees the weights.
	streams sync.WaitGroup
	mutex   sync.Mutex
	closed  bool
	// life ends when the model is closed.
	life context.Context
	end  context.CancelFunc
}

var (
	_ engines.Model       = (*model)(nil)
	_ engines.Transcriber = (*model)(nil)
)

func newModel(backend *whispercpp.Backend, weights *whispercpp.Model, p parameters, opts engines.LoadOptions) *model {
	life, end := context.WithCancel(context.Background())
	return &model{
		parameters: p,
		backend:    backend,
		weights:    weights,
		threads:    max(1, opts.Threads),
		work:       opts.Work,
		places:     make(chan struct{}, max(1, opts.MaxConcurrency)),
		life:       life,
		end:        end,
	}
}

// Description implements engines.Model.
func (m *model) Description() string { return m.weights.Description() }

// closeBound is how long Close waits for computations to stop. Only the spectrogram
// of a long block takes longer; it ends with the process.
const closeBound = time.Second

// Close implements engines.Model.
func (m *model) Close() error {
	m.mutex.Lock()
	m.closed = true
	m.mutex.Unlock()
	m.end()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		m.streams.Wait()
		m.weights.Close()
	}()
	select {
	case <-ended:
		return nil
	case <-time.After(closeBound):
		return errors.New("a computation goes on")
	}
}

// try makes a state and a voice activity model once, so that want of memory and a
// bad file are told by the load and not by the first call.
func (m *model) try() error {
	s, err := m.open(m.life)
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
	t := &transcription{model: m, request: req, stream: s, emit: emit}
	if cfg.GetInterimResults() {
		return t.live(s.ctx, reader)
	}
	defer func() { _ = reader.Close() }()
	return t.whole(s.ctx, reader)
}

// open takes a place and makes a state.
func (m *model) open(ctx context.Context) (*stream, error) {
	select {
	case m.places <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-m.life.Done():
		return nil, errClosing()
	}
	if !m.enter() {
		<-m.places
		return nil, errClosing()
	}
	s := &stream{model: m}
	s.ctx, s.cancel = context.WithCancel(ctx)
	s.unhook = context.AfterFunc(m.life, s.cancel)
	if err := s.renew(); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// enter counts a stream, unless the model is closed: a place may be had even so.
func (m *model) enter() bool {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if !m.closed {
		m.streams.Add(1)
	}
	return !m.closed
}

func errClosing() error { return errs.New(errs.Draining, "the model is closing") }
