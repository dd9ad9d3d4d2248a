package whisper

import (
	"context"
	"errors"
	"io"
	"sync"

	"github.com/lexilingo/modelgateway/engines/audio"
	"github.com/lexilingo/modelgateway/engines/whisper/speech"
)

// inboxSamples is how much audio may wait for a pass. If the inbox is full, the source
// is not read, so that the sender waits.
const inboxSamples = 10 * speech.Rate

// inbox receives audio while a pass computes.
type inbox struct {
	mu      sync.Mutex
	samples []float32
	err     error         // of the source; io.EOF at its end
	filled  chan struct{} // has an entry after samples or an error were added
	drained chan struct{} // has an entry after samples were taken
}

func newInbox() *inbox {
	return &inbox{filled: make(chan struct{}, 1), drained: make(chan struct{}, 1)}
}

// pump reads the source to its end, or until ctx ends. It owns the reader and closes
// it, because only pump knows when a read of the source returns.
func (in *inbox) pump(ctx context.Context, reader *audio.Reader) {
	defer func() { _ = reader.Close() }()
	var piece [speech.Rate / 10]float32
	for {
		n, err := reader.Read(piece[:])
		in.mu.Lock()
		in.samples = append(in.samples, piece[:n]...)
		in.err = err
		waiting := len(in.samples)
		in.mu.Unlock()
		notify(in.filled)
		if err != nil {
			return
		}
		for waiting >= inboxSamples {
			select {
			case <-in.drained:
			case <-ctx.Done():
				return
			}
			in.mu.Lock()
			waiting = len(in.samples)
			in.mu.Unlock()
		}
		if ctx.Err() != nil {
			return
		}
	}
}

// take waits for minimum samples or a full inbox, and takes at most maximum samples.
// ended reports whether they are the last.
func (in *inbox) take(ctx context.Context, minimum, maximum int) (samples []float32, ended bool, err error) {
	for {
		in.mu.Lock()
		ready := len(in.samples) >= min(max(1, minimum), inboxSamples)
		if n := min(maximum, len(in.samples)); ready || in.err != nil {
			samples = append(samples, in.samples[:n]...)
			in.samples = append([]float32(nil), in.samples[n:]...)
		}
		rest, failed := len(in.samples), in.err
		in.mu.Unlock()
		switch {
		case failed != nil && rest == 0:
			if errors.Is(failed, io.EOF) {
				failed = nil
			}
			return samples, true, failed
		case ready || failed != nil:
			notify(in.drained)
			return samples, false, nil
		}
		select {
		case <-in.filled:
		case <-ctx.Done():
			return nil, false, ctx.Err()
		}
	}
}

func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
