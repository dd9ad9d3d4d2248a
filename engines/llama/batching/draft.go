package batching

import (
	"bytes"
	"math"
	"slices"
)

// Answers often repeat the conversation: a correction copies most of its text, and an
// answer quotes the question. So the tokens that followed the same tokens earlier in a
// sequence are a draft of the next ones. They are computed in the batch of the token
// before them, and the sampler chooses a token after each one, from the distribution
// that it would have had without a draft. The first token that differs from the draft
// drops the rest of it. This is lookup decoding.
//
// Where the answer's grammar forces a text, as the punctuation and the names of JSON, that
// text is drafted in the same way. That it comes is certain, but not in which tokens.

const (
	// longestMatch is the number of tokens from which a longer match does not count more.
	longestMatch = 4
	// oddsWeight is the weight of one drafted token in the moving average of how often
	// the drafts after a match are right.
	oddsWeight = 0.15
	// sequenceWeight is the weight of one sequence in those with which the next one
	// begins, and firstWeight that of firstOdds: drafts are tried again and again.
	sequenceWeight = 0.2
	firstWeight    = 0.02
)

// odds are the probabilities that a drafted token is chosen, by its kind: the number of
// tokens before it that match, or one of those below.
type odds [longestMatch + 3]float64

const (
	// forcedToken is a token of a forced text, and lastForced the last one: the model may
	// choose a longer one there.
	forcedToken = longestMatch + 1 + iota
	lastForced
)

// firstOdds are those of a model for which nothing has been drafted yet.
var firstOdds = odds{0, 0.2, 0.45, 0.65, 0.8, 0.9, 0.5}

// observe records whether a drafted token was chosen.
func (o *odds) observe(kind int, chosen bool) {
	p := &o[kind]
	var was float64
	if chosen {
		was = 1
	}
	*p += oddsWeight * (was - *p)
}

// learn adds the odds of a sequence that has ended.
func (o *odds) learn(from odds) {
	for i := range o {
		o[i] += sequenceWeight*(from[i]-o[i]) + firstWeight*(firstOdds[i]-o[i])
	}
}

// lookUp returns the tokens that followed the longest match of the end of the tokens
// earlier in them, at most most; of several, those of the last one. match is the
// number of tokens that match, at most longestMatch.
func lookUp(tokens []Token, most int) (draft []Token, match int) {
	end := len(tokens) - 1
	for i := end - 1; i >= 0 && match < longestMatch; i-- {
		n := 0
		for n < longestMatch && n <= i && tokens[i-n] == tokens[end-n] {
			n++
		}
		if n > match {
			match, draft = n, tokens[i+1:min(i+1+most, len(tokens))]
		}
	}
	return draft, match
}

// draft returns a draft of at most most tokens for a part that generates: what followed
// the same tokens earlier, or the text that the grammar forces and what followed that.
func (s *Scheduler) draft(p *part, most int) []Token {
	seq := p.seq
	var found []Token
	found, p.match = lookUp(seq.tokens, most)
	if seq.forced == "" || s.writes(p, found, most) {
		return found
	}
	forced := s.vocab.Draft(seq.forced)
	forced = forced[:min(len(forced), most)]
	p.forced = len(forced)
	if len(forced) == 0 {
		return nil
	}
	found, p.match = lookUp(slices.Concat(seq.tokens, forced), most-len(forced))
	return slices.Concat(forced, found)
}

// writes reports whether what was found earlier writes the forced text, as far as it can
// have tokens, and sets how many tokens are within the text. Then these are the tokens
// in which the model wrote it before.
func (s *Scheduler) writes(p *part, found []Token, most int) bool {
	var same bool
	rest := []byte(p.seq.forced)
	for i, t := range found {
		piece := s.vocab.Piece(t)
		if len(piece) > len(rest) {
			return bytes.HasPrefix(piece, rest)
		}
		if rest, same = bytes.CutPrefix(rest, piece); !same {
			return false
		}
		p.forced = i + 1
	}
	return len(rest) == 0 || len(found) > 0 && len(found) == most
}

// addDrafts adds drafts to a batch without prompts, as long as more tokens can be
// expected for the time that the batch takes. It returns their number.
func (s *Scheduler) addDrafts(parts []part) int {
	room := min(s.config.DraftTokens, s.limit-len(parts))
	if room <= 0 || !s.config.KeepsEveryPosition {
		return 0
	}
	found := make([][]Token, len(parts))
	for i := range parts {
		p := &parts[i]
		if len(p.seq.pending()) > 1 {
			return 0
		}
		found[i] = s.draft(p, min(room, p.seq.limit-len(p.seq.tokens)-1))
	}
	chances := make([]float64, len(parts)) // that the last drafted token of a part is chosen
	for i := range chances {
		chances[i] = 1
	}
	expected, n := float64(len(parts)), 0
	for n < room {
		best, chance := -1, 0.0
		for i := range parts {
			p := &parts[i]
			at := len(p.draft)
			if at == len(found[i]) || s.vocab.IsEnd(found[i][at]) {
				continue
			}
			if c := chances[i] * p.seq.odds[p.kind(at)]; c > chance {
				best, chance = i, c
			}
		}
		size := len(parts) + n
		if best < 0 || chance*s.cost.of(size) <= expected*(s.cost.of(size+1)-s.cost.of(size)) {
			break
		}
		p := &parts[best]
		p.draft = found[best][:len(p.draft)+1]
		chances[best] = chance
		expected += chance
		n++
	}
	for len(s.pool.free) < len(parts)+n && s.evict() {
	}
	if n > 0 && len(s.pool.free) < len(parts)+n {
		for i := range parts {
			parts[i].draft = nil
		}
		return 0
	}
	return n
}

// choose chooses the tokens after a part of a batch: one, and one after each drafted
// token that was chosen.
func (s *Scheduler) choose(p part) {
	at, seq := p.seq.slot, p.seq
	for i := 0; ; i++ {
		t := seq.sampler.Sample(p.output + i)
		var probs *Logprobs
		if t != NoToken {
			probs = seq.sampler.Logprobs(p.output+i, t)
		}
		s.next(seq, t, probs)
		if i == len(p.draft) {
			break
		}
		chosen := t == p.draft[i]
		seq.odds.observe(p.kind(i), chosen)
		seq.drafts++
		if !chosen || seq.slot == nil {
			break
		}
	}
	if seq.slot != nil {
		s.force(seq)
	}
	if len(p.draft) > 0 {
		s.truncate(at, commonPrefix(at.tokens, seq.tokens))
	}
}

// force takes what the grammar forces after the chosen tokens. An end needs no step.
func (s *Scheduler) force(seq *sequence) {
	text, end := seq.sampler.Forced()
	if seq.forced = text; end != NoToken {
		s.next(seq, end, nil)
	}
}

// batchCost estimates how long a batch without prompts takes, by its number of tokens:
// a line through the last ones.
type batchCost struct {
	weight, n, nn, took, nTook float64 // decaying sums
}

const (
	costDecay = 0.97
	// firstSlope is what a further token is taken to cost as long as no batches of
	// different sizes have been measured, in parts of the first one's time.
	firstSlope = 0.3
	// slopeWeight is the weight of firstSlope, as the variance of the sizes of batches.
	slopeWeight = 0.5
)

func (c *batchCost) measured(n int, seconds float64) {
	x := float64(n)
	for _, sum := range []struct {
		to  *float64
		add float64
	}{{&c.weight, 1}, {&c.n, x}, {&c.nn, x * x}, {&c.took, seconds}, {&c.nTook, x * seconds}} {
		*sum.to = *sum.to*costDecay + sum.add
	}
}

// of returns the time of a batch of n tokens, in seconds; without any measurement, in
// times of a batch of one token.
func (c *batchCost) of(n int) float64 {
	if c.weight == 0 {
		return 1 + firstSlope*float64(n-1)
	}
	meanN, mean := c.n/c.weight, c.took/c.weight
	first := mean / (1 + firstSlope*(meanN-1)) * firstSlope
	slope := (c.nTook - c.n*mean + slopeWeight*first) / (c.nn - c.n*meanN + slopeWeight)
	slope = math.Max(slope, 0)
	return math.Max(mean+slope*(float64(n)-meanN), mean/100)
}
