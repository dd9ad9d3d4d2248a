package batching

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// cancellers always have requests, which are cancelled as soon as a batch with them
// is computed.
type cancellers struct {
	scheduler *Scheduler
	executor  *fakeExecutor
	prompt    []Token
	requests  []*sequence
}

// send queues one more request.
func (c *cancellers) send() error {
	seq, err := c.scheduler.newSequence(Request{Prompt: c.prompt, MaxTokens: 1, Sampler: &fakeSampler{executor: c.executor}})
	if err != nil {
		return err
	}
	c.requests = append(c.requests, seq)
	return c.scheduler.submit(seq)
}

// cancelCurrent cancels the requests in the current batch and sends others in their
// place.
func (c *cancellers) cancelCurrent() error {
	c.scheduler.mu.Lock()
	computing := slices.Clone(c.scheduler.computing)
	c.scheduler.mu.Unlock()
	for _, p := range computing {
		at := slices.Index(c.requests, p.seq)
		if at < 0 {
			continue
		}
		c.scheduler.cancel(p.seq, context.Canceled)
		c.requests = slices.Delete(c.requests, at, at+1)
		if err := c.send(); err != nil {
			return err
		}
	}
	return nil
}

// TestCancelsDoNotStarveOthers checks that a generation finishes however often
// other requests in its batches are cancelled, which aborts the batches.
func TestCancelsDoNotStarveOthers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const capacity = 400
		f := newFake(capacity, true)
		config := testConfig(capacity)
		config.PromptTokens = rapid.IntRange(2, 64).Draw(t, "prompt share")
		s := New(config, f, endless{})
		defer s.Close()
		others := &cancellers{scheduler: s, executor: f, prompt: sequenceOf(Token(rapid.IntRange(30, 40).Draw(t, "prompt")), rapid.IntRange(2, 60).Draw(t, "prompt length"))}

		lengths := rapid.SliceOfN(rapid.IntRange(1, 60), 1, 3).Draw(t, "lengths")
		limits := rapid.SliceOfN(rapid.IntRange(1, 20), len(lengths), len(lengths)).Draw(t, "limits")
		// The number of batches if each token had its own batch, and each of these
		// came after aborted ones.
		most := 0
		for i := range lengths {
			most += lengths[i] + limits[i]
		}
		most *= 1 + config.Parallel
		decodes, starved := 0, false
		ready := make(chan struct{}) // closed when all cancellers were sent; then only the scheduler's goroutine uses them
		f.onDecode = func([]Input) (Outcome, error) {
			<-ready
			// This runs in the scheduler's goroutine, which may use its list.
			if slices.ContainsFunc(s.active, func(seq *sequence) bool { return !slices.Contains(others.requests, seq) }) {
				decodes++
			}
			if decodes > most {
				starved = true
				return 0, errors.New("starved")
			}
			return Decoded, others.cancelCurrent()
		}
		for range rapid.IntRange(1, config.Parallel-len(lengths)).Draw(t, "cancellers") {
			if err := others.send(); err != nil {
				t.Fatal(err)
			}
		}
		close(ready)
		var group sync.WaitGroup
		for i := range lengths {
			group.Go(func() {
				prompt := sequenceOf(Token(1+i), lengths[i])
				chooser, _, _, err := generate(context.Background(), s, f, prompt, limits[i])
				want := continuation(prompt, limits[i])
				if err != nil || len(chooser.chosen) != limits[i] || !slices.Equal(chooser.chosen[:len(want)], want) {
					t.Errorf("generation %d chose %v, %v; alone %v", i, chooser.chosen, err, want)
				}
			})
		}
		group.Wait()
		s.Close()
		if starved || f.problem != nil {
			t.Errorf("starved: %v, %v", starved, f.problem)
		}
	})
}
