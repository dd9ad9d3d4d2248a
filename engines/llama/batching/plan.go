package batching

import "time"

// part is what one sequence does in a batch.
type part struct {
	seq *sequence
	// count of its pending tokens, from the first on.
	count int
	// output is the batch's index of the part's last token if that asks for
	// output, else -1.
	output int
}

// plan fills a batch: one token of each sequence that generates, then prompts in
// order of arrival, up to promptTokens in all. active is in order of arrival.
func plan(active []*sequence, batchTokens, promptTokens int) []part {
	var parts []part
	room := batchTokens
	for _, s := range active {
		if len(s.pending()) == 1 && room > 0 {
			parts = append(parts, part{seq: s, count: 1})
			room--
		}
	}
	// Together they are promptTokens: a few more would make a micro-batch of
	// their own, which takes almost as long as a whole one.
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

// worthWaiting is how many tokens an earlier sequence must save a later one for
// that to wait.
const worthWaiting = 16

// waitsForPrefix tells whether an earlier sequence is about to compute a prefix
// that s can copy then.
func waitsForPrefix(s *sequence, earlier []*sequence) bool {
	done := len(s.slot.tokens)
	for _, e := range earlier {
		if !s.copies || len(e.pending()) == 1 {
			continue
		}
		shared := commonPrefix(e.tokens, s.tokens[:len(s.tokens)-1])
		if shared-done >= worthWaiting && len(e.slot.tokens) < shared {
			return true
		}
	}
	return false
}

// inputs writes the plan out as a batch, and notes where the outputs are.
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
	}
	return batch
}

// pace sizes the prompts' share of a batch. Small shares compute slowly, so it
// is a whole micro-batch, except while others wait for their next token.
type pace struct {
	// rate is tokens a second, 0 while unknown.
	rate float64
}

const (
	// besideGenerating is how long others should wait for their next token.
	besideGenerating = 250 * time.Millisecond
	// leastPromptTokens is the share below which more time is lost than won.
	leastPromptTokens = 64
	// rateSample is the least tokens of a batch that tells the rate.
	rateSample = 16
	// rateWeight is how much one batch counts in the mean.
	rateWeight = 0.3
)

// promptTokens returns the prompts' share of the next batch, at most most.
func (p *pace) promptTokens(active []*sequence, most int) int {
	for _, s := range active {
		if len(s.pending()) == 1 {
			return min(most, max(leastPromptTokens, int(p.rate*besideGenerating.Seconds())))
		}
	}
	return most
}

// measured tells how long a batch took.
func (p *pace) measured(tokens int, took time.Duration) {
	if tokens < rateSample || took <= 0 {
		return
	}
	rate := float64(tokens) / took.Seconds()
	if p.rate == 0 {
		p.rate = rate
		return
	}
	p.rate += rateWeight * (rate - p.rate)
}
