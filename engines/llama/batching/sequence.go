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
	started bool // it has had a slot

	// Guarded by the scheduler's mutex.
	cancelled error

	out mailbox
}

// pending returns the tokens that are not computed yet.
func (s *sequence) pending() []Token { return s.tokens[len(s.slot.tokens):] }

// generated returns the number of generated tokens.
func (s *sequence) generated() int { return len(s.tokens) - s.prompt }

func (s *sequence) result(finish gatewayv1.FinishReason) Result {
	return Result{
		Finish:           finish,
		PromptTokens:     s.prompt,
		CachedTokens:     min(s.cached, s.prompt),
		CompletionTokens: s.generated(),
	}
}

// mailbox passes text from the scheduler to a caller that may be slow. The
// request's MaxTokens limits its size.
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

// take waits for text or the end, and returns the text since the last call.
func (m *mailbox) take() (text string, done bool) {
	<-m.signal
	m.mu.Lock()
	defer m.mu.Unlock()
	text = m.text.String()
	m.text.Reset()
	return text, m.done
}
