package batching

import (
	"strings"
	"sync"

	"github.com/lexilingo/modelgateway/engines/llama/textstream"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// sequence is a request under way.
type sequence struct {
	// Set once.
	sampler Sampler
	prompt  int // tokens of the prompt
	limit   int // tokens at which it ends
	copies  bool
	text    *textstream.Stream

	// The scheduler's goroutine owns these.
	tokens  []Token // the prompt and what was generated
	slot    *slot   // nil while it waits
	cached  int
	started bool // it had a slot once

	// Guarded by the scheduler's mutex.
	cancelled error

	out mailbox
}

// pending returns the tokens that are not computed yet.
func (s *sequence) pending() []Token { return s.tokens[len(s.slot.tokens):] }

// generated returns how many tokens were generated.
func (s *sequence) generated() int { return len(s.tokens) - s.prompt }

func (s *sequence) result(finish gatewayv1.FinishReason) Result {
	return Result{
		Finish:           finish,
		PromptTokens:     s.prompt,
		CachedTokens:     min(s.cached, s.prompt),
		CompletionTokens: s.generated(),
	}
}

// mailbox carries text from the scheduler to a caller that may be slow. It is
// bounded by the request's MaxTokens.
type mailbox struct {
	signal chan struct{}

	mu     sync.Mutex
	text   strings.Builder
	done   bool
	result Result
	err    error
}

func (m *mailbox) put(text string) {
	if text == "" {
		return
	}
	m.mu.Lock()
	m.text.WriteString(text)
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

// take waits for news and returns the text that came.
func (m *mailbox) take() (text string, done bool) {
	<-m.signal
	m.mu.Lock()
	defer m.mu.Unlock()
	text = m.text.String()
	m.text.Reset()
	return text, m.done
}
