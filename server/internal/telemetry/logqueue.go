package telemetry

import (
	"io"
	"sync"
	"time"
)

const (
	// logQueueBytes is how much of the log may wait for its reader.
	logQueueBytes = 1 << 20
	// logFlushTime is how long the end of the server waits for the log's reader.
	logFlushTime = time.Second
)

// logQueue is a writer that never blocks: whoever reads the log, such as another
// program at the end of a pipe, may stop reading, and the server must go on. What
// does not fit is dropped and counted. Lines are written in order by one goroutine,
// at once if the reader is not behind.
type logQueue struct {
	out io.Writer
	// lost is called after lines were dropped, when there is room for others again.
	lost func(lines int)

	mu      sync.Mutex
	changed sync.Cond
	waiting []byte
	dropped int
	closed  bool
	done    chan struct{} // closed when all is written after close
}

func newLogQueue(out io.Writer) *logQueue {
	q := &logQueue{out: out, done: make(chan struct{})}
	q.changed.L = &q.mu
	return q
}

// Write implements io.Writer. It never fails.
func (q *logQueue) Write(line []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting)+len(line) > logQueueBytes {
		q.dropped++
		return len(line), nil
	}
	q.waiting = append(q.waiting, line...)
	q.changed.Signal()
	return len(line), nil
}

// run writes what waits until the queue is closed.
func (q *logQueue) run() {
	defer close(q.done)
	var spare []byte
	for {
		q.mu.Lock()
		for len(q.waiting) == 0 && !q.closed {
			q.changed.Wait()
		}
		lines, dropped := q.waiting, q.dropped
		q.waiting, q.dropped = spare[:0], 0
		q.mu.Unlock()
		if len(lines) == 0 {
			return
		}
		if dropped > 0 {
			q.lost(dropped) // there is room now
		}
		_, _ = q.out.Write(lines) // there is nowhere to report an error
		spare = lines
	}
}

// close writes what waits, unless its reader takes too long.
func (q *logQueue) close() {
	q.mu.Lock()
	q.closed = true
	q.changed.Signal()
	q.mu.Unlock()
	select {
	case <-q.done:
	case <-time.After(logFlushTime):
	}
}
