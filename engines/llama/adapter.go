package llama

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/lexilingo/modelgateway/engines"
	"github.com/lexilingo/modelgateway/engines/llama/batching"
	"github.com/lexilingo/modelgateway/engines/llama/chatprompt"
	"github.com/lexilingo/modelgateway/engines/llama/llamacpp"
)

// executor is the scheduler's interface to a llama.cpp context.
type executor struct {
	context *llamacpp.Context
	work    *engines.WorkCounter
	batch   []llamacpp.Input
}

var _ batching.Executor = (*executor)(nil)

// pollInterval is the time between checks of a batch for progress: a batch of a
// prompt may take longer than the server waits for progress.
const pollInterval = time.Second

// longBatch is the number of tokens from which a batch is checked. For shorter ones
// the goroutine would only take time from the threads that compute.
const longBatch = 32

// Decode implements batching.Executor.
func (e *executor) Decode(inputs []batching.Input) (batching.Outcome, error) {
	e.batch = e.batch[:0]
	for _, in := range inputs {
		e.batch = append(e.batch, llamacpp.Input(in))
	}
	if len(inputs) >= longBatch {
		defer e.countPolls()()
	}
	before := e.context.Polls()
	status, err := e.context.Decode(e.batch)
	if status != llamacpp.Decoded && e.context.Polls() != before {
		// The scheduler counts only the tokens of complete batches. An aborted batch
		// is progress too: a model whose callers always cancel before the end of a
		// batch is slow, but it does not hang.
		e.work.Add(1)
	}
	switch {
	case err != nil:
		return 0, err
	case status == llamacpp.NoRoom:
		return batching.NoRoom, nil
	case status == llamacpp.Aborted:
		return batching.Aborted, nil
	default:
		return batching.Decoded, nil
	}
}

// countPolls counts a unit of work for each interval in which the current batch
// made progress, until the returned function is called.
func (e *executor) countPolls() (stop func()) {
	done := make(chan struct{})
	stopped := make(chan struct{})
	last := e.context.Polls()
	go func() {
		defer close(stopped)
		timer := time.NewTimer(pollInterval)
		defer timer.Stop()
		for {
			select {
			case <-done:
				return
			case <-timer.C:
			}
			if now := e.context.Polls(); now != last {
				last = now
				e.work.Add(1)
			}
			timer.Reset(pollInterval)
		}
	}()
	return func() { close(done); <-stopped }
}

// Remove implements batching.Executor.
func (e *executor) Remove(sequence, from int) bool { return e.context.Remove(sequence, from) }

// Copy implements batching.Executor.
func (e *executor) Copy(source, to, from, end int) { e.context.Copy(source, to, from, end) }

// Abort implements batching.Executor.
func (e *executor) Abort() { e.context.Abort() }

// ClearAbort implements batching.Executor.
func (e *executor) ClearAbort() { e.context.ClearAbort() }

// sampler chooses tokens from the outputs of one context.
type sampler struct {
	*llamacpp.Sampler
	context *llamacpp.Context
	// logprobs says that the probabilities of tokens are wanted, and those of the top
	// most likely ones.
	logprobs bool
	top      int
}

var _ batching.Sampler = sampler{}

// Sample implements batching.Sampler.
func (s sampler) Sample(index int) batching.Token { return s.Sampler.Sample(s.context, index) }

// Logprobs implements batching.Sampler.
func (s sampler) Logprobs(index int, t batching.Token) *batching.Logprobs {
	if !s.logprobs {
		return nil
	}
	chosen, top := s.context.Logprobs(index, t, s.top)
	out := &batching.Logprobs{Likelihood: batching.Likelihood(chosen)}
	for _, l := range top {
		out.Top = append(out.Top, batching.Likelihood(l))
	}
	return out
}

// vocabulary is a model's vocabulary, for the scheduler and the prompts.
type vocabulary struct {
	*llamacpp.Vocab
	specials []chatprompt.Special
	// written are control tokens that are a part of an answer: the marks around calls
	// of tools.
	written []batching.Token
	texts   map[batching.Token]string // of written
}

var (
	_ batching.Vocabulary  = (*vocabulary)(nil)
	_ chatprompt.Tokenizer = (*vocabulary)(nil)
)

func newVocabulary(v *llamacpp.Vocab) *vocabulary {
	out := &vocabulary{Vocab: v}
	for _, s := range v.Specials() {
		out.specials = append(out.specials, chatprompt.Special(s))
	}
	return out
}

// write makes the control tokens in a text a part of answers.
func (v *vocabulary) write(text string) {
	v.texts = map[batching.Token]string{}
	for _, s := range v.specials {
		if s.Control && strings.Contains(text, s.Text) {
			v.written = append(v.written, s.Token)
			v.texts[s.Token] = s.Text
		}
	}
}

// Piece implements batching.Vocabulary.
func (v *vocabulary) Piece(t batching.Token) []byte {
	if text, ok := v.texts[t]; ok {
		return []byte(text)
	}
	return v.Vocab.Piece(t)
}

// Draft implements batching.Vocabulary.
func (v *vocabulary) Draft(text string) []batching.Token {
	text = whole(text)
	// Control tokens are recognised for the marks of tool calls. Another one that a
	// grammar's text contains is never chosen, so drafting it does no harm.
	tokens := v.Tokenize(text, false, true)
	var same bool
	rest := text
	for _, t := range tokens {
		if rest, same = strings.CutPrefix(rest, string(v.Piece(t))); !same {
			return nil // some tokenizers put a space before a text
		}
	}
	return tokens
}

// whole returns a text without the beginning of a character at its end: what is forced may
// end within one, and tokenizers replace such a byte.
func whole(text string) string {
	for i := len(text) - 1; i >= max(0, len(text)-utf8.UTFMax); i-- {
		if utf8.RuneStart(text[i]) {
			if !utf8.FullRuneInString(text[i:]) {
				return text[:i]
			}
			break
		}
	}
	return text
}

// Specials implements chatprompt.Tokenizer.
func (v *vocabulary) Specials() []chatprompt.Special { return v.specials }
