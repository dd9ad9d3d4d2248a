package batching

import (
	"slices"
	"testing"
	"time"
)

// timedFake returns a scheduler with drafts on a fake model, in which each further
// token of a batch takes a part of the time of the first.
func timedFake(t *testing.T, each time.Duration) (*Scheduler, *fakeExecutor, *[]int) {
	f := newFake(2000, true)
	now := time.Unix(0, 0)
	var sizes []int
	f.onDecode = func(batch []Input) (Outcome, error) {
		sizes = append(sizes, len(batch))
		now = now.Add(10*time.Millisecond + time.Duration(len(batch)-1)*each)
		return Decoded, nil
	}
	config := testConfig(2000)
	config.DraftTokens = 8
	config.Now = func() time.Time { return now }
	s := New(config, f, endless{})
	t.Cleanup(s.Close)
	return s, f, &sizes
}

// TestDraftsSaveBatches checks that text that repeats itself needs fewer batches than
// tokens, that other text needs hardly any further tokens, and that the answers are
// the same.
func TestDraftsSaveBatches(t *testing.T) {
	const tokens = 400
	for name, c := range map[string]struct {
		first   Token // 1: the text repeats itself
		each    time.Duration
		batches int // at most
		further int // computed tokens that are no part of the answer, at most
	}{
		"repeats":                       {1, 3 * time.Millisecond, tokens / 2, tokens / 2},
		"repeats, batches cost as much": {1, 10 * time.Millisecond, tokens + 1, tokens / 10},
		"other text":                    {2, 3 * time.Millisecond, tokens + 1, tokens / 10},
	} {
		t.Run(name, func(t *testing.T) {
			s, f, sizes := timedFake(t, c.each)
			prompt := sequenceOf(c.first, 5)
			chooser, _, _, err := generate(t.Context(), s, f, prompt, tokens)
			if err != nil || f.problem != nil {
				t.Fatal(err, f.problem)
			}
			if want := continuationWithoutEnd(prompt, tokens); !slices.Equal(chooser.chosen, want) {
				t.Errorf("chose %v, without drafts %v", chooser.chosen, want)
			}
			computed := 0
			for _, n := range *sizes {
				computed += n
			}
			computed -= len(prompt) + tokens - 1
			t.Logf("%d batches for %d tokens, %d tokens computed in vain", len(*sizes), tokens, computed)
			if len(*sizes) > c.batches || computed > c.further {
				t.Errorf("%d batches, at most %d; %d tokens in vain, at most %d", len(*sizes), c.batches, computed, c.further)
			}
		})
	}
}

func TestLookUp(t *testing.T) {
	for name, c := range map[string]struct {
		tokens []Token
		most   int
		draft  []Token
		match  int
	}{
		"nothing":         {[]Token{1, 2, 3}, 4, nil, 0},
		"one token":       {[]Token{5}, 4, nil, 0},
		"the last of two": {[]Token{1, 7, 1, 8, 1}, 4, []Token{8, 1}, 1},
		"the longest":     {[]Token{1, 2, 7, 2, 8, 1, 2}, 2, []Token{7, 2}, 2},
		"of itself":       {[]Token{3, 3, 3}, 4, []Token{3}, 2},
		"no room":         {[]Token{1, 7, 1}, 0, []Token{}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			draft, match := lookUp(c.tokens, c.most)
			if !slices.Equal(draft, c.draft) || match != c.match {
				t.Errorf("%v after %d", draft, match)
			}
		})
	}
}

// TestBatchCost checks that the estimate follows the times of batches.
func TestBatchCost(t *testing.T) {
	var c batchCost
	for range 200 {
		c.measured(1, 0.010)
		c.measured(4, 0.016)
	}
	if at := c.of(8); at < 0.022 || at > 0.026 {
		t.Errorf("8 tokens take %v", at)
	}
	for range 200 {
		c.measured(1, 0.020)
	}
	if of := c.of(2) / c.of(1); of < 1.1 || of > 1.4 {
		t.Errorf("after long without drafts, a second token costs %v", of)
	}
}

// TestDraftsEndBeforeTheSequence checks that nothing is drafted beyond the last token of
// an answer: neither beyond its limit nor the end of a turn.
func TestDraftsEndBeforeTheSequence(t *testing.T) {
	for _, c := range []struct {
		prompt []Token
		limit  int
	}{
		{[]Token{1, 10, 23, 14, 1, 10, 23, 14, 1, 10, 23}, 2},
		{[]Token{1, 10, 23, endToken, 1, 10, 23, endToken, 1, 10}, 20},
	} {
		f := newFake(200, true)
		var computed []Input
		f.onDecode = func(batch []Input) (Outcome, error) {
			computed = append(computed, batch...)
			return Decoded, nil
		}
		config := testConfig(200)
		config.DraftTokens = 8
		s := New(config, f, letters{})
		if _, _, _, err := generate(t.Context(), s, f, c.prompt, c.limit); err != nil {
			t.Error(err)
		}
		s.Close()
		for _, in := range computed {
			if in.Position >= len(c.prompt)+c.limit-1 || in.Position >= len(c.prompt) && in.Token == endToken {
				t.Errorf("token %d is computed at %d; the prompt has %d tokens, the answer at most %d", in.Token, in.Position, len(c.prompt), c.limit)
			}
		}
	}
}
