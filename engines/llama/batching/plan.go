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
// order of arrival, at most promptTokens of them. active is in order of arrival.
func plan(active []*sequence, batchTokens, promptTokens int) []part {
	var parts []part
	room := batchTokens
	for _, s := range active {
		if len(s.pending()) == 1 && room > 0 {
			parts = append(parts, part{seq: s, count: 1})
			room--
		}
	}
	room = min(room, promptTokens)
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

// pace sizes the prompt's share of a batch by the time that it may take.
type pace struct {
	// rate is tokens a second, 0 while unknown.
	rate float64
}

// How long a batch may take: while others wait for their next token, while
// several prompts are read, and when there is only one sequence. New requests
// and, if it is aborted, everybody in the batch lose as much.
const (
	besideGenerating = 200 * time.Millisecond
	besidePrompts    = 500 * time.Millisecond
	alone            = time.Second
)

const (
	// firstPromptTokens is a batch's share before the rate is known.
	firstPromptTokens = 64
	// promptStep is what shares are rounded to: odd rests compute slowly.
	promptStep = 32
	// rateSample is the least tokens of a batch that tells the rate.
	rateSample = 16
	// rateWeight is how much one batch counts in the mean.
	rateWeight = 0.3
)

// promptTokens returns the prompts' share of the next batch.
func (p *pace) promptTokens(active []*sequence, most int) int {
	if p.rate == 0 {
		return min(firstPromptTokens, most)
	}
	allowed := alone
	if len(active) > 1 {
		allowed = besidePrompts
	}
	for _, s := range active {
		if len(active) > 1 && len(s.pending()) == 1 {
			allowed = besideGenerating
		}
	}
	n := int(min(p.rate*allowed.Seconds(), float64(most))) / promptStep * promptStep
	return max(n, min(promptStep, most))
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
