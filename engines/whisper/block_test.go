package whisper

import (
	"testing"
)

func TestBlocks(t *testing.T) {
	const minute = 60 * 16000
	for name, c := range map[string]struct {
		samples, begin int
		more           bool
		percents       []int
		windows        []bool
		lastEnd, next  int
	}{
		"the last block":                 {minute, 0, false, []int{0, 50, 99}, []bool{true, true, true}, 5000, 6000},
		"a window within":                {minute, 0, true, []int{0, 20, 48}, []bool{true, true, true}, 100, 6000},
		"a window past the end":          {minute, 0, true, []int{0, 49}, []bool{true, false}, 2950, 2950},
		"silence after the last segment": {minute, 0, true, []int{0, 80}, []bool{true, false}, 1000, 4800},
		"no segments":                    {minute, 0, true, []int{0, 50}, []bool{true, false}, 0, 3000},
		"a later beginning":              {minute, 20, true, []int{0, 50}, []bool{true, false}, 0, 3010},
		"text past the end":              {minute, 0, true, []int{0, 70}, []bool{true, false}, 7000, 6000},
	} {
		b := newBlock(c.samples, c.begin, c.more)
		for i, percent := range c.percents {
			if b.window(percent) != c.windows[i] {
				t.Errorf("%s: at %d %% window returns %v, want %v", name, percent, !c.windows[i], c.windows[i])
			}
		}
		if got := b.next(c.lastEnd); got != c.next {
			t.Errorf("%s: the next block begins at %d, want %d", name, got, c.next)
		}
	}
}
