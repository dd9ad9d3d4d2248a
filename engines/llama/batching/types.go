// Package batching runs many generations in one context of a language model by
// continuous batching: each batch computes the next token of every generating
// sequence and, in the remaining room, parts of the prompts that are not computed
// yet.
//
// It is pure Go: the model is an Executor, and tokens are chosen by a Sampler. One
// goroutine uses both, and all state except the queue.
package batching

import (
	"time"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// Token is an index into a model's vocabulary.
type Token = int32

// NoToken is returned by a Sampler that may not choose any token.
const NoToken Token = -1

// Input is one token of a batch.
type Input struct {
	Token Token
	// Position is the token's index in its sequence.
	Position int
	// Sequence is the number of its sequence, less than Config.Slots.
	Sequence int
	// Output requests the output after this token, for the Sampler.
	Output bool
}

// Outcome is the result of a batch.
type Outcome int

// Outcomes.
const (
	// Decoded means that every token was computed.
	Decoded Outcome = iota
	// NoRoom means that the cache has no room for the batch; nothing changed.
	NoRoom
	// Aborted means that Abort was called. Some tokens of the batch may be in the
	// cache.
	Aborted
)

// Executor computes with a model. All its methods except Abort are called by one
// goroutine, on one thread.
type Executor interface {
	// Decode computes a batch. After an error the cached tokens of the batch's
	// sequences are undefined.
	Decode([]Input) (Outcome, error)
	// Remove removes a sequence's tokens from a position on. It returns false and
	// changes nothing if the model cannot keep a part of a sequence.
	Remove(sequence, from int) bool
	// Copy adds the positions [from, end) of source to another sequence. The copy
	// takes no additional room.
	Copy(source, to, from, end int)
	// Abort makes the current Decode return Aborted soon. It may be called from any
	// goroutine.
	Abort()
	// ClearAbort cancels the effect of Abort.
	ClearAbort()
}

// Sampler chooses the tokens of one sequence.
type Sampler interface {
	// Accept passes a token of the prompt, for the penalties.
	Accept(Token)
	// Sample chooses the token after the batch's input at an index, which must have
	// requested an output. NoToken means that no token is allowed.
	Sample(index int) Token
	// Logprobs returns how likely the token that Sample chose was, or nil if nobody
	// wants to know.
	Logprobs(index int, t Token) *Logprobs
	// Forced returns the text that must come next, as far as that is known, or the token
	// that must: the end of the answer. Without either, they are empty and NoToken.
	Forced() (text string, end Token)
	// Close frees the sampler.
	Close()
}

// Vocabulary describes tokens. It is safe for concurrent use.
type Vocabulary interface {
	// Piece returns a token's bytes.
	Piece(Token) []byte
	// IsEnd reports whether a token ends the generation.
	IsEnd(Token) bool
	// Draft returns tokens that write a text within an answer, or none.
	Draft(text string) []Token
}

// Config configures a Scheduler.
type Config struct {
	// ContextTokens is the size of the cache, which all sequences share.
	ContextTokens int
	// BatchTokens is the largest number of tokens in a batch.
	BatchTokens int
	// PromptTokens is the largest number of prompt tokens in a batch; 0 is
	// BatchTokens.
	PromptTokens int
	// DraftTokens is the largest number of tokens in a batch that are drafted from what
	// their sequences have already and from forced text; 0 is none. A batch requests at
	// most one output for each of them and for each active sequence.
	DraftTokens int
	// Parallel is the largest number of sequences that are active together.
	Parallel int
	// Slots is the number of sequences in the cache, at least Parallel. Those
	// without an active sequence keep finished conversations.
	Slots int
	// KeepsEveryPosition says that any prefix of a sequence can be kept and copied.
	KeepsEveryPosition bool
	// Work is called with the number of computed tokens. It may be nil.
	Work func(tokens int)
	// Now is the clock that measures batches; nil is time.Now.
	Now func() time.Time
}

// Request describes one generation.
type Request struct {
	// Prompt has at least one token.
	Prompt []Token
	// MaxTokens is the largest number of tokens to generate, at least 1.
	MaxTokens int
	// CapToRoom reduces MaxTokens to what fits after the prompt. Otherwise a request
	// that may not fit is refused.
	CapToRoom bool
	// Stop has strings that end the text; they are not part of it.
	Stop []string
	// InsideThought says that the prompt ends inside a thought of the model.
	InsideThought bool
	// Sampler chooses the tokens. Generate closes it.
	Sampler Sampler
}

// Output is a piece of an answer.
type Output struct {
	// Text is text of the answer, and Thought of the model's thoughts before it.
	Text, Thought string
	// Logprobs are those of the answer's tokens, if the sampler has them.
	Logprobs []*Logprobs
}

// empty reports whether there is nothing in the output.
func (o Output) empty() bool { return o.Text == "" && o.Thought == "" && len(o.Logprobs) == 0 }

// Likelihood is a token and the logarithm of its probability.
type Likelihood struct {
	Token   Token
	Logprob float32
}

// Logprobs says how likely a token was, and which tokens were the most likely.
type Logprobs struct {
	Likelihood
	Top []Likelihood
}

// Result describes a generation that has ended.
type Result struct {
	Finish gatewayv1.FinishReason
	// PromptTokens is the size of the prompt. CachedTokens of them were computed
	// earlier, for this or another request.
	PromptTokens, CachedTokens int
	// CompletionTokens is the number of generated tokens, including the one that
	// ended the generation. ThoughtTokens of them are thoughts.
	CompletionTokens, ThoughtTokens int
}
