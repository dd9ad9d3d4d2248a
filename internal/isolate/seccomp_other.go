//go:build !amd64 && !arm64

package isolate

// architecture is unknown: there is no filter.
const architecture = 0

func refusedHere() []uint32 { return nil }
