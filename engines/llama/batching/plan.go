package batching

import "time"

// part is the part of a batch that belongs to one sequence.
type part struct {
	seq *sequence
	// count is the number of its pending tokens that are in the batch.
	count int
	// output is the index in the batch of the last of them if it needs an output, else
	// -1.
	output int
	// draft are the tokens that may come next. They follow in the batch, and each needs
	// an output. The first forced of them are of the text that the grammar forces. match
	// is how many tokens before the others led to the draft.
	draft  []Token
	forced int
	match  int
}

// kind returns the kind of a drafted token, for its odds.
func (p *part) kind(i int) int {
	switch {
	case i < p.forced-1:
		return forcedToken
	case i < p.forced:
		return lastForced
	default:
		return min(p.match+i-p.forced, longestMatch)
	}
}

// plan fills a batch: one token of each sequence that generates, then prompts in
// order of arrival, up to promptTokens in total. active is in order of arrival.
func plan(active []*sequence, batchTokens, promptTokens int) []part {
	var parts []part
	room := batchTokens
	for _, s := range active {
		if len(s.pending()) == 1 && room > 0 {
			parts = append(parts, part{seq: s, count: 1})
			room--
		}
	}
	// All tokens together are at most promptTokens: a few more would need another
	// micro-batch, which takes almost as long as a full one.
	room = min(room, max(1, promptTokens-len(parts)))
	for i, s := range active {
		n := min(len(s.pending()), room)
		if len(s.pending()) == 1 || n == 0 || waitsForPrefix(s, active[:i]) {
			continue
		}
		parts = append(parts, part{seq: s, count: n})
		room -= n
	}
	return parts
}

// minPrefixGain is the number of tokens that a sequence must save by waiting for
// the prefix of an earlier one.
const minPrefixGain = 16

// waitsForPrefix reports whether an earlier sequence will compute a prefix that s
// can then copy.
func waitsForPrefix(s *sequence, earlier []*sequence) bool {
	done := len(s.slot.tokens)
	for _, e := range earlier {
		if !s.copies || len(e.pending()) == 1 {
			continue
		}
		shared := commonPrefix(e.tokens, s.tokens[:len(s.tokens)-1])
		if shared-done >= minPrefixGain && len(e.slot.tokens) < shared {
			return true
		}
	}
	return false
}

// inputs appends the planned tokens to batch and sets the output of each part.
func inputs(parts []part, batch []Input) []Input {
	for i := range parts {
		p := &parts[i]
		from := len(p.seq.slot.tokens)
		for j, t := range p.seq.pending()[:p.count] {
			batch = append(batch, Input{Token: t, Position: from + j, Sequence: p.seq.slot.id})
		}
		p.output = -1
		if p.count == len(p.seq.pending()) {
			p.output = len(batch) - 1
			batch[p.output].Output = true
		}
		for j, t := range p.draft {
			batch = append(batch, Input{Token: t, Position: from + p.count + j, Sequence: p.seq.slot.id, Output: true})
		}
	}
	return batch
}

// pace computes how many prompt tokens a batch may have. Small batches are slow,
// so it is a whole micro-batch, except while other sequences generate.
type pace struct {
	// rate is in tokens per second, 0 if not known.
	rate float64
}

const (
	// maxTokenDelay is how long a generating sequence should wait for its next
	// token because of prompts.
	maxTokenDelay = 250 * time.Millisecond
	// minPromptTokens is the number of prompt tokens below which a batch is too
	// slow for its size.
	minPromptTokens = 64
	// minRateTokens is the number of tokens from which a batch counts for the rate.
	minRateTokens = 16
	// rateWeight is the weight of one batch in the moving average.
	rateWeight = 0.3
)

// promptTokens returns the largest number of prompt tokens in the next batch. It
// is not more than most.
func (p *pace) promptTokens(active []*sequence, most int) int {
	for _, s := range active {
		if len(s.pending()) == 1 {
			return min(most, max(minPromptTokens, int(p.rate*maxTokenDelay.Seconds())))
		}
	}
	return most
}

// measured records how long a batch took.
func (p *pace) measured(tokens int, took time.Duration) {
	if tokens < minRateTokens || took <= 0 {
		return
	}
	rate := float64(tokens) / took.Seconds()
	if p.rate == 0 {
		p.rate = rate
		return
	}
	p.rate += rateWeight * (rate - p.rate)
}
