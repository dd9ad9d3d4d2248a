package piper

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestCancel checks that a run ends with its context, in the middle of a sentence,
// and stops computing. It compares the processor time with that of the whole
// sentence, because other load on the machine does not change that.
func TestCancel(t *testing.T) {
	said := text(strings.Repeat("word, ", 300)) // one run, of about 3000 ids
	cost := func(cancelled bool) time.Duration {
		m := loadVoice(t, testVoice(t, "slow", nil), map[string]any{"max_phonemes": 10000})
		mustSay(t, m, text("Yes."))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		begin, done := m.work.Count(), make(chan error, 1)
		before := processorTime(t)
		go func() {
			_, err := say(ctx, m, said)
			done <- err
		}()
		if cancelled {
			for m.work.Count() == begin { // until the phonemes are computed
				runtime.Gosched()
			}
			cancel()
		}
		if err := <-done; cancelled != errors.Is(err, context.Canceled) || !cancelled && err != nil {
			t.Fatal(err)
		}
		if err := m.Close(); err != nil { // waits for work in the background
			t.Fatal(err)
		}
		return processorTime(t) - before
	}
	whole, cut := cost(false), cost(true)
	t.Logf("a whole run takes %v of processor time, a cancelled one %v", whole, cut)
	if cut > whole/5 {
		t.Errorf("a cancelled run takes %v of processor time, a whole one %v", cut, whole)
	}
}

// processorTime returns the processor time that this process has used.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		t.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
