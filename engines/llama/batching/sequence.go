package batching

import (
	"strings"
	"sync"

	"github.com/lexilingo/modelgateway/engines/llama/textstream"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// sequence is a request that was submitted and has not ended.
type sequence struct {
	// These do not change.
	sampler Sampler
	prompt  int // tokens of the prompt
	limit   int // number of tokens at which it ends
	copies  bool
	text    *textstream.Stream

	// Only the scheduler's goroutine uses these.
	tokens  []Token // the prompt and what was generated
	slot    *slot   // nil while it is queued
	cached  int
	started bool   // it has had a slot
	odds    odds   // of drafts
	drafts  int    // tokens that were drafted and compared
	forced  string // what the grammar forces after the tokens
	// undecided are the tokens at the start of the answer of which it is not known yet
	// whether they belong to a thought, and their logprobs.
	undecided int
	probs     []*Logprobs
	thought   int // tokens of the thought

	// Guarded by the scheduler's mutex.
	cancelled error

	out mailbox
}

// pending returns the tokens that are not computed yet.
func (s *sequence) pending() []Token { return s.tokens[len(s.slot.tokens):] }

// generated returns the number of generated tokens.
func (s *sequence) generated() int { return len(s.tokens) - s.prompt }

// push adds a token to the text. It returns what cannot change any more, and whether a
// stop string ended the text.
func (s *sequence) push(piece []byte, probs *Logprobs) (o Output, stopped bool) {
	o.Text, stopped = s.text.Push(piece)
	o.Thought = s.text.Thought()
	s.undecided++
	if probs != nil {
		s.probs = append(s.probs, probs)
	}
	switch s.text.Part() {
	case textstream.Undecided:
		return o, stopped
	case textstream.Answer:
		o.Logprobs = s.probs
	case textstream.Thought:
		s.thought += s.undecided
	}
	s.undecided, s.probs = 0, nil
	return o, stopped
}

// flush returns what push held back.
func (s *sequence) flush() Output {
	text := s.text.Flush()
	o := Output{Text: text, Thought: s.text.Thought(), Logprobs: s.probs}
	s.probs = nil
	return o
}

func (s *sequence) result(finish gatewayv1.FinishReason) Result {
	return Result{
		Finish:           finish,
		PromptTokens:     s.prompt,
		CachedTokens:     min(s.cached, s.prompt),
		CompletionTokens: s.generated(),
		ThoughtTokens:    s.thought,
	}
}

// mailbox passes output from the scheduler to a caller that may be slow. The
// request's MaxTokens limits its size.
type mailbox struct {
	signal chan struct{}

	mu      sync.Mutex
	text    strings.Builder
	thought strings.Builder
	probs   []*Logprobs
	done    bool
	result  Result
	err     error
}

func (m *mailbox) put(o Output) {
	if o.empty() {
		return
	}
	m.mu.Lock()
	m.text.WriteString(o.Text)
	m.thought.WriteString(o.Thought)
	m.probs = append(m.probs, o.Logprobs...)
	m.mu.Unlock()
	m.wake()
}

func (m *mailbox) finish(r Result, err error) {
	m.mu.Lock()
	m.done, m.result, m.err = true, r, err
	m.mu.Unlock()
	m.wake()
}

func (m *mailbox) wake() {
	select {
	case m.signal <- struct{}{}:
	default:
	}
}

// take waits for output or the end, and returns the output since the last call.
func (m *mailbox) take() (o Output, done bool) {
	<-m.signal
	m.mu.Lock()
	defer m.mu.Unlock()
	o = Output{Text: m.text.String(), Thought: m.thought.String(), Logprobs: m.probs}
	m.text.Reset()
	m.thought.Reset()
	m.probs = nil
	return o, m.done
}
