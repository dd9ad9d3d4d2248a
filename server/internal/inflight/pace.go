package inflight

import "time"

const (
	// MinThroughput is the slowest rate at which clients may send in the long run,
	// in bytes per second.
	MinThroughput = 8 << 10
	// SendTimeout is how long a client may send nothing of what it owes, and how
	// long it may send more slowly than MinThroughput.
	SendTimeout = 30 * time.Second
)

// Extend returns the deadline for a client's next bytes, of which n have come now.
// They extend the deadline by the time that they take at MinThroughput, but never
// to after latest: a fast start does not pay for a long silence.
func Extend(deadline time.Time, n int, latest time.Time) time.Time {
	deadline = deadline.Add(time.Duration(n) * time.Second / MinThroughput)
	if deadline.After(latest) {
		return latest
	}
	return deadline
}
