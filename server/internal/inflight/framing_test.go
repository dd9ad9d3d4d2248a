package inflight

import (
	"slices"
	"testing"
)

func TestFramingFollowsMessages(t *testing.T) {
	stream := []byte{0, 0, 0, 0, 3, 'a', 'b', 'c', 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 'd', 'e'}
	for _, step := range []int{1, 2, 7, len(stream)} {
		var f Framing
		var sizes []int64
		if !f.Unfinished() {
			t.Error("the first message is not owed")
		}
		for part := range slices.Chunk(stream, step) {
			f.Feed(part, func(size int64) { sizes = append(sizes, size) })
		}
		if !slices.Equal(sizes, []int64{3, 0, 2}) || f.Unfinished() {
			t.Errorf("in steps of %d: messages of %v bytes", step, sizes)
		}
		if f.Partial() || f.Flags() != 1 {
			t.Errorf("in steps of %d: flags %d", step, f.Flags())
		}
		f.Feed([]byte{0, 0, 0, 0, 9, 'x'}, nil)
		if f.Memory() != 2 || !f.Unfinished() || !f.Partial() {
			t.Errorf("%d bytes for an unfinished message", f.Memory())
		}
	}
}
