package batching

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// attackers always have requests at work that are cancelled as soon as a batch
// with them is computed.
type attackers struct {
	scheduler *Scheduler
	executor  *fakeExecutor
	prompt    []Token
	requests  []*sequence
}

// send queues one more request.
func (a *attackers) send() error {
	seq, err := a.scheduler.newSequence(Request{Prompt: a.prompt, MaxTokens: 1, Sampler: &fakeSampler{executor: a.executor}})
	if err != nil {
		return err
	}
	a.requests = append(a.requests, seq)
	return a.scheduler.submit(seq)
}

// strike cancels those of the batch under way, and sends others after them.
func (a *attackers) strike() error {
	a.scheduler.mu.Lock()
	flight := slices.Clone(a.scheduler.flight)
	a.scheduler.mu.Unlock()
	for _, p := range flight {
		at := slices.Index(a.requests, p.seq)
		if at < 0 {
			continue
		}
		a.scheduler.cancel(p.seq, context.Canceled)
		a.requests = slices.Delete(a.requests, at, at+1)
		if err := a.send(); err != nil {
			return err
		}
	}
	return nil
}

// TestCancelsStarveNobody: however many others cancel, and abort the batches that
// they share with a generation, it gets on.
func TestCancelsStarveNobody(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const capacity = 400
		f := newFake(capacity, true)
		config := testConfig(capacity)
		config.PromptTokens = rapid.IntRange(2, 64).Draw(t, "prompt share")
		s := New(config, f, endless{})
		defer s.Close()
		attack := &attackers{scheduler: s, executor: f, prompt: sequenceOf(Token(rapid.IntRange(30, 40).Draw(t, "attack")), rapid.IntRange(2, 60).Draw(t, "attack length"))}

		lengths := rapid.SliceOfN(rapid.IntRange(1, 60), 1, 3).Draw(t, "lengths")
		limits := rapid.SliceOfN(rapid.IntRange(1, 20), len(lengths), len(lengths)).Draw(t, "limits")
		// Batches that all of it takes if each token had one to itself, and for
		// each of those, aborted ones before it.
		most := 0
		for i := range lengths {
			most += lengths[i] + limits[i]
		}
		most *= 1 + config.Parallel
		decodes, starved := 0, false
		ready := make(chan struct{}) // all attackers are there; from then on they are the scheduler's goroutine's
		f.onDecode = func([]Input) (Outcome, error) {
			<-ready
			// This is the scheduler's goroutine, which owns its list.
			if slices.ContainsFunc(s.active, func(seq *sequence) bool { return !slices.Contains(attack.requests, seq) }) {
				decodes++
			}
			if decodes > most {
				starved = true
				return 0, errors.New("starved")
			}
			return Decoded, attack.strike()
		}
		for range rapid.IntRange(1, config.Parallel-len(lengths)).Draw(t, "attackers") {
			if err := attack.send(); err != nil {
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
