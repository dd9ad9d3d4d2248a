package inflight

import (
	"errors"
	"sync"
	"time"
)

const (
	// MaxAhead is how much one connection may have read before its use, in bytes:
	// about a quarter of an hour of 16 kHz speech.
	MaxAhead = 32 << 20
	// HangupInterval is the time between two looks at a connection from which
	// nothing is read.
	HangupInterval = 25 * time.Millisecond
)

var (
	// ErrHungUp means that the client has closed its connection.
	ErrHungUp = errors.New("the client has closed the connection")
	// ErrClosed means that the queue is closed.
	ErrClosed = errors.New("the queue is closed")
)

// Ahead is what was read from one connection before its use. A disconnect is
// seen only by reading, so the reader goes on while its consumer is busy, as far
// as there is memory. While there is none, the connection is watched instead. One
// goroutine may call Put, and one Next.
type Ahead[T any] struct {
	reservation *Reservation
	max         int64
	hungUp      func() bool
	taken       chan struct{} // tells Put that there may be room
	added       chan struct{} // tells Next that there may be an item

	mu    sync.Mutex
	items []aheadItem[T]
	size  int64
	err   error // after the items; ErrClosed at once
}

type aheadItem[T any] struct {
	value T
	size  int64
}

// NewAhead returns an empty queue of at most max bytes, as far as the reservation
// grows. One item is always accepted. hungUp reports whether the client has
// closed its connection; it may be nil.
func NewAhead[T any](reservation *Reservation, max int64, hungUp func() bool) *Ahead[T] {
	return &Ahead[T]{
		reservation: reservation, max: max, hungUp: hungUp,
		taken: make(chan struct{}, 1), added: make(chan struct{}, 1),
	}
}

// Put adds an item as soon as there is room for its size. It returns ErrHungUp if
// the client has closed its connection before that, and ErrClosed after Close or
// when done is closed.
func (a *Ahead[T]) Put(done <-chan struct{}, value T, size int64) error {
	var look <-chan time.Time
	for {
		if ok, err := a.tryPut(value, size); ok || err != nil {
			return err
		}
		if look == nil {
			tick := time.NewTicker(HangupInterval)
			defer tick.Stop()
			look = tick.C
		}
		select {
		case <-a.taken:
		case <-look: // others may have released memory too
			if a.hungUp != nil && a.hungUp() {
				return ErrHungUp
			}
		case <-done:
			return ErrClosed
		}
	}
}

func (a *Ahead[T]) tryPut(value T, size int64) (bool, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.err != nil {
		return false, a.err
	}
	room := a.size+size <= a.max && a.reservation.Grow(a.size+size)
	if !room && len(a.items) > 0 {
		return false, nil
	}
	a.items = append(a.items, aheadItem[T]{value, size})
	a.size += size
	wake(a.added)
	return true, nil
}

// Next waits for the next item. After the last it returns the error of End, and
// ErrClosed after Close or when done is closed.
func (a *Ahead[T]) Next(done <-chan struct{}) (T, error) {
	for {
		select {
		case <-done:
			var none T
			return none, ErrClosed
		default:
		}
		value, ok, err := a.tryNext()
		if ok || err != nil {
			return value, err
		}
		select {
		case <-a.added:
		case <-done:
		}
	}
}

func (a *Ahead[T]) tryNext() (value T, ok bool, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.items) == 0 {
		return value, false, a.err
	}
	first := a.items[0]
	a.items[0] = aheadItem[T]{}
	a.items = a.items[1:]
	a.size -= first.size
	a.reservation.Shrink(a.size)
	wake(a.taken)
	return first.value, true, nil
}

// Empty reports whether no item waits.
func (a *Ahead[T]) Empty() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.items) == 0
}

// End says that no item follows. err is what Next returns after the last.
func (a *Ahead[T]) End(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.err == nil {
		a.err = err
	}
	wake(a.added)
}

// Close ends the queue and releases its memory. It returns the items that nobody
// took.
func (a *Ahead[T]) Close() []T {
	a.mu.Lock()
	defer a.mu.Unlock()
	var left []T
	for _, item := range a.items {
		left = append(left, item.value)
	}
	a.items, a.size, a.err = nil, 0, ErrClosed
	a.reservation.Release()
	wake(a.added)
	wake(a.taken)
	return left
}

func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
