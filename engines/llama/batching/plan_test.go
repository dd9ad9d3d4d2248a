package batching

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// at returns a sequence of which the first done tokens are computed.
func at(tokens []Token, done int) *sequence {
	return &sequence{tokens: tokens, prompt: len(tokens), copies: true, slot: &slot{tokens: tokens[:done]}}
}

func TestPlan(t *testing.T) {
	generating := func() *sequence { return at(sequenceOf(1, 10), 9) }
	for name, c := range map[string]struct {
		active        []*sequence
		batch, prompt int
		want          []int // tokens of each active sequence
	}{
		"one token each":                  {[]*sequence{generating(), generating()}, 64, 32, []int{1, 1}},
		"prompt beside generating":        {[]*sequence{generating(), at(sequenceOf(2, 100), 0)}, 64, 32, []int{1, 31}},
		"prompts always advance":          {[]*sequence{generating(), generating(), at(sequenceOf(2, 100), 0)}, 64, 2, []int{1, 1, 1}},
		"generating comes before prompts": {[]*sequence{at(sequenceOf(2, 100), 0), generating()}, 8, 32, []int{7, 1}},
		"prompts in order of arrival":     {[]*sequence{at(sequenceOf(2, 20), 0), at(sequenceOf(3, 100), 0)}, 64, 32, []int{20, 12}},
		"same prefix waits":               {[]*sequence{at(sequenceOf(2, 50), 0), at(append(sequenceOf(2, 50), 1, 2), 0)}, 64, 32, []int{32, 0}},
		"short common prefix does not":    {[]*sequence{at(sequenceOf(2, 30), 0), at(append(sequenceOf(2, 15), 1, 2), 0)}, 64, 64, []int{30, 17}},
		"computed prefix does not":        {[]*sequence{at(sequenceOf(2, 50), 49), at(append(sequenceOf(2, 49), 1, 2), 20)}, 64, 64, []int{1, 31}},
	} {
		t.Run(name, func(t *testing.T) {
			got := make([]int, len(c.active))
			parts := plan(c.active, c.batch, c.prompt)
			for _, p := range parts {
				got[slices.Index(c.active, p.seq)] = p.count
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
			outputs := 0
			for _, in := range inputs(parts, nil) {
				if in.Output {
					outputs++
				}
			}
			whole := 0
			for _, p := range parts {
				if p.count == len(p.seq.pending()) {
					whole++
				}
			}
			if outputs != whole {
				t.Errorf("%d outputs for %d sequences whose tokens are all in the batch", outputs, whole)
			}
		})
	}
}

func TestPace(t *testing.T) {
	one, two := at(sequenceOf(1, 500), 0), at(sequenceOf(2, 500), 0)
	generating := at(sequenceOf(3, 10), 9)
	p := &pace{}
	for _, c := range []struct {
		rate   float64
		active []*sequence
		most   int
		want   int
	}{
		{0, []*sequence{one}, 512, 512},
		{100, []*sequence{one, two}, 512, 512},
		{0, []*sequence{one, generating}, 512, minPromptTokens},
		{100, []*sequence{one, generating}, 512, minPromptTokens},
		{1000, []*sequence{one, generating}, 512, 250},
		{10000, []*sequence{one, generating}, 512, 512},
		{100, []*sequence{one, generating}, 16, 16},
	} {
		p.rate = c.rate
		if got := p.promptTokens(c.active, c.most); got != c.want {
			t.Errorf("%d sequences at %v tokens/s: %d tokens, want %d", len(c.active), c.rate, got, c.want)
		}
	}
	p = &pace{}
	p.measured(4, time.Second) // too few to count
	p.measured(100, time.Second)
	if p.rate != 100 {
		t.Errorf("rate %v, want 100", p.rate)
	}
	p.measured(200, time.Second)
	if p.rate <= 100 || p.rate >= 200 {
		t.Errorf("rate %v, want a mean of 100 and 200", p.rate)
	}
}

func TestChoose(t *testing.T) {
	system := sequenceOf(1, 40)
	with := func(n Token) []Token { return append(slices.Clone(system), n, n+1, n+2, n+3) }
	busy := &sequence{}
	for name, c := range map[string]struct {
		slots    []*slot
		prefixes bool
		tokens   []Token
		slot     int // index, -1: none
		keep     int
		source   int // index, -1: none
		copied   int
	}{
		"empty cache":                {slots: []*slot{{}, {}}, prefixes: true, tokens: with(1), slot: 0, source: -1},
		"all busy":                   {slots: []*slot{{owner: busy}}, prefixes: true, tokens: with(1), slot: -1},
		"conversation continues":     {slots: []*slot{{}, {tokens: with(1)}}, prefixes: true, tokens: append(with(1), 9, 9), slot: 1, keep: 44, source: -1},
		"the same once more":         {slots: []*slot{{}, {tokens: with(1)}}, prefixes: true, tokens: with(1), slot: 1, keep: 43, source: -1},
		"system prompt in use":       {slots: []*slot{{tokens: with(1), owner: busy}, {}}, prefixes: true, tokens: with(9), slot: 1, source: 0, copied: 40},
		"spares a long conversation": {slots: []*slot{{tokens: append(with(1), system...)}, {}}, prefixes: true, tokens: with(9), slot: 1, source: 0, copied: 40},
		"least recently used":        {slots: []*slot{{tokens: []Token{9}, used: 2}, {tokens: []Token{8}, used: 1}}, prefixes: true, tokens: with(1), slot: 1, source: -1},
		"no prefixes: whole":         {slots: []*slot{{tokens: with(1)}, {}}, tokens: append(with(1), 9), slot: 0, keep: 44, source: -1},
		"no prefixes: part":          {slots: []*slot{{tokens: with(1)}, {}}, tokens: with(9), slot: 1, source: -1},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := choose(c.slots, c.tokens, c.prefixes)
			if !ok {
				if c.slot != -1 {
					t.Fatal("no slot was chosen")
				}
				return
			}
			index := func(s *slot) int { return slices.Index(c.slots, s) }
			have := fmt.Sprint(index(got.slot), got.keep, index(got.source), got.copied)
			if want := fmt.Sprint(c.slot, c.keep, c.source, c.copied); have != want {
				t.Errorf("slot, keep, source, copied: %s; want %s", have, want)
			}
		})
	}
}
