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

// TestCancel: a run ends with its context, in the midst of a sentence, and the
// processor does not go on with what nobody will hear. Processor time is compared
// with that of the whole sentence: a busy machine does not change it.
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
			for m.work.Count() == begin { // until the phonemes are there
				runtime.Gosched()
			}
			cancel()
		}
		if err := <-done; cancelled != errors.Is(err, context.Canceled) || !cancelled && err != nil {
			t.Fatalf("it ended with %v", err)
		}
		if err := m.Close(); err != nil { // waits for what goes on in the background
			t.Fatal(err)
		}
		return processorTime(t) - before
	}
	whole, cut := cost(false), cost(true)
	t.Logf("the whole takes %v of processor time, a cancelled one %v", whole, cut)
	if cut > whole/5 {
		t.Errorf("a cancelled run takes %v of processor time, the whole takes %v", cut, whole)
	}
}

// processorTime is what this process has used.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		t.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
