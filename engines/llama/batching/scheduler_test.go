package batching

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func testConfig(capacity int) Config {
	return Config{ContextTokens: capacity, BatchTokens: 64, Parallel: 4, Slots: 8, KeepsEveryPosition: true}
}

func sequenceOf(first Token, n int) []Token {
	out := make([]Token, n)
	for i := range out {
		out[i] = (first + Token(i)*7) % fakeVocabulary
	}
	return out
}

// generate runs a request to its end.
func generate(ctx context.Context, s *Scheduler, f *fakeExecutor, prompt []Token, limit int) (*fakeSampler, Result, string, error) {
	chooser := &fakeSampler{executor: f}
	var text strings.Builder
	r, err := s.Generate(ctx, Request{Prompt: prompt, MaxTokens: limit, Sampler: chooser}, func(o Output) error {
		text.WriteString(o.Text)
		return nil
	})
	return chooser, r, text.String(), err
}

// TestGenerationsDoNotAffectEachOther checks that a generation gives what it gives
// alone, whatever else happens: prompts that share prefixes, a cache that is too
// small for all, and batches that are aborted or find no room.
func TestGenerationsDoNotAffectEachOther(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		capacity := rapid.IntRange(40, 200).Draw(t, "capacity")
		f := newFake(capacity, rapid.Bool().Draw(t, "partial"))
		faults := rapid.SliceOfN(rapid.IntRange(0, 9), 1, 40).Draw(t, "faults")
		step := 0
		f.onDecode = func(batch []Input) (Outcome, error) {
			step++
			if step > len(faults) {
				return Decoded, nil
			}
			switch faults[step-1] {
			case 0:
				return Aborted, nil
			case 1:
				if len(batch) > 1 { // a single token always finds room
					return NoRoom, nil
				}
			}
			return Decoded, nil
		}
		config := testConfig(capacity)
		config.KeepsEveryPosition = f.partial
		config.BatchTokens = rapid.IntRange(1, 64).Draw(t, "batch")
		config.DraftTokens = rapid.IntRange(0, 12).Draw(t, "drafts")
		s := New(config, f, letters{})

		type request struct {
			prompt []Token
			limit  int
			cancel bool
		}
		requests := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) request {
			shared := sequenceOf(Token(rapid.IntRange(1, 2).Draw(t, "prefix")), rapid.IntRange(0, 25).Draw(t, "shared"))
			own := sequenceOf(Token(rapid.IntRange(1, 40).Draw(t, "own")), rapid.IntRange(1, 10).Draw(t, "length"))
			limit := rapid.IntRange(1, 34).Draw(t, "limit")
			prompt := append(shared, own...)
			return request{prompt: prompt, limit: min(limit, capacity-len(prompt)), cancel: rapid.IntRange(0, 4).Draw(t, "cancel") == 0}
		}), 1, 12).Draw(t, "requests")

		var group sync.WaitGroup
		for _, r := range requests {
			group.Go(func() {
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				if r.cancel {
					go cancel()
				}
				chooser, result, text, err := generate(ctx, s, f, r.prompt, r.limit)
				if closed := chooser.closed.Load(); closed != 1 {
					t.Errorf("the sampler was closed %d times", closed)
				}
				if r.cancel && errors.Is(err, context.Canceled) {
					return
				}
				want := continuation(r.prompt, r.limit)
				var shown strings.Builder
				for _, token := range want {
					if token != endToken {
						shown.Write(letters{}.Piece(token))
					}
				}
				if err != nil || !slices.Equal(chooser.chosen, want) || text != shown.String() ||
					result.CompletionTokens != len(want) || result.PromptTokens != len(r.prompt) || result.CachedTokens >= len(r.prompt) {
					t.Errorf("prompt %v: chose %v (%q, %+v, %v), alone %v", r.prompt, chooser.chosen, text, result, err, want)
				}
			})
		}
		group.Wait()
		s.Close()
		if f.problem != nil {
			t.Error(f.problem)
		}
		held := 0
		for _, n := range s.pool.references {
			if n > 0 {
				held++
			}
		}
		if held != len(f.cells) || held+len(s.pool.free) != capacity {
			t.Errorf("the pool holds %d of %d cells, %d are free; the cache holds %d", held, capacity, len(s.pool.free), len(f.cells))
		}
	})
}

func TestRefusals(t *testing.T) {
	f := newFake(100, true)
	s := New(testConfig(100), f, letters{})
	defer s.Close()
	for name, c := range map[string]struct {
		prompt, limit int
		says          []string
	}{
		"prompt too long": {100, 1, []string{"100 tokens", "room for 100"}},
		"answer too long": {60, 41, []string{"60", "41", "100", "at most 40"}},
		"empty":           {0, 1, []string{"empty"}},
	} {
		t.Run(name, func(t *testing.T) {
			chooser, _, _, err := generate(t.Context(), s, f, sequenceOf(1, c.prompt), c.limit)
			if errs.ReasonOf(err) != errs.InvalidRequest {
				t.Fatalf("got %v, want INVALID_REQUEST", err)
			}
			for _, part := range c.says {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not say %q", err, part)
				}
			}
			if chooser.closed.Load() != 1 {
				t.Error("the sampler was not closed")
			}
		})
	}
}

// endless makes the fake model never end a generation by itself.
type endless struct{ letters }

func (endless) IsEnd(Token) bool { return false }

func TestCappedToRoom(t *testing.T) {
	f := newFake(100, true)
	s := New(testConfig(100), f, endless{})
	defer s.Close()
	r, err := s.Generate(t.Context(), Request{
		Prompt: sequenceOf(1, 60), MaxTokens: 1000, CapToRoom: true, Sampler: &fakeSampler{executor: f},
	}, func(Output) error { return nil })
	if err != nil || r.Finish != gatewayv1.FinishReason_FINISH_REASON_LENGTH || r.CompletionTokens != 40 {
		t.Errorf("got %+v, %v; want 40 tokens and LENGTH", r, err)
	}
}

// TestCancelMidPrompt cancels while a part of the prompt is computed. The batch
// ends early, and the rest of the prompt is not computed.
func TestCancelMidPrompt(t *testing.T) {
	f := newFake(1000, true)
	entered, release := make(chan []Input), make(chan struct{})
	f.onDecode = func(batch []Input) (Outcome, error) {
		entered <- slices.Clone(batch)
		<-release
		return Decoded, nil
	}
	s := New(testConfig(1000), f, endless{})
	ctx, cancel := context.WithCancel(t.Context())
	results := make(chan error, 1)
	go func() {
		_, _, _, err := generate(ctx, s, f, sequenceOf(1, 400), 4)
		results <- err
	}()
	<-entered // the long prompt's first part
	cancel()
	<-f.abortCalled
	close(release)
	if err := <-results; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	if n := f.computed.Load(); n >= 64 {
		t.Errorf("%d tokens were computed; the batch should have been aborted", n)
	}
	s.Close()
}

func TestFatalErrorEndsOnlyItsBatch(t *testing.T) {
	f := newFake(1000, true)
	broken := errors.New("broken")
	calls := 0
	f.onDecode = func([]Input) (Outcome, error) {
		if calls++; calls == 1 {
			return 0, broken
		}
		return Decoded, nil
	}
	s := New(testConfig(1000), f, letters{})
	defer s.Close()
	_, _, _, err := generate(t.Context(), s, f, sequenceOf(1, 10), 4)
	if errs.ReasonOf(err) != errs.Internal || !errors.Is(err, broken) {
		t.Errorf("got %v, want INTERNAL because of %v", err, broken)
	}
	chooser, _, _, err := generate(t.Context(), s, f, sequenceOf(1, 10), 4)
	if want := continuation(sequenceOf(1, 10), 4); err != nil || !slices.Equal(chooser.chosen, want) {
		t.Errorf("afterwards: %v, %v; want %v", chooser.chosen, err, want)
	}
}

func TestEmitFailureStops(t *testing.T) {
	f := newFake(1000, true)
	s := New(testConfig(1000), f, endless{})
	defer s.Close()
	gone := errors.New("gone")
	_, err := s.Generate(t.Context(), Request{
		Prompt: sequenceOf(1, 10), MaxTokens: 900, Sampler: &fakeSampler{executor: f},
	}, func(Output) error { return gone })
	if !errors.Is(err, gone) {
		t.Errorf("got %v, want the error of emit", err)
	}
}

func TestCloseEndsEverything(t *testing.T) {
	f := newFake(1000, true)
	entered := make(chan struct{}, 1)
	f.onDecode = func([]Input) (Outcome, error) {
		select {
		case entered <- struct{}{}:
		default:
		}
		return Decoded, nil
	}
	config := testConfig(1000)
	config.Parallel = 1 // the second request waits
	s := New(config, f, endless{})
	results := make(chan error, 2)
	for range 2 {
		go func() {
			_, _, _, err := generate(t.Context(), s, f, sequenceOf(1, 10), 900)
			results <- err
		}()
	}
	<-entered
	s.Close()
	for range 2 {
		if err := <-results; err != nil && errs.ReasonOf(err) != errs.Draining {
			t.Errorf("got %v, want DRAINING", err)
		}
	}
	if _, _, _, err := generate(t.Context(), s, f, sequenceOf(1, 10), 1); errs.ReasonOf(err) != errs.Draining {
		t.Errorf("after Close: %v, want DRAINING", err)
	}
}
