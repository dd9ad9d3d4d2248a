// Package batching runs many generations in one context of a language model, as
// continuous batching: each tick computes the next token of every generating
// sequence, and with what room is left, parts of the prompts that wait.
//
// It is pure Go: the model is an Executor, and whoever chooses tokens a Sampler.
// One goroutine owns both, and all state but the queue's.
package batching

import (
	"time"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// Token is an index into a model's vocabulary.
type Token = int32

// NoToken is returned by a Sampler that may choose none.
const NoToken Token = -1

// Input is one token of a batch.
type Input struct {
	Token Token
	// Position is the token's place in its sequence, from 0.
	Position int
	// Sequence is below Config.Slots.
	Sequence int
	// Output asks for what follows this token.
	Output bool
}

// Outcome is what became of a batch.
type Outcome int

// Outcomes.
const (
	// Decoded means that every token was computed.
	Decoded Outcome = iota
	// NoRoom means that the cache has no room for the batch; nothing changed.
	NoRoom
	// Aborted means that Abort was called; some tokens of the batch may be in
	// the cache.
	Aborted
)

// Executor computes with a model. All its methods but Abort are called by one
// goroutine, on one thread.
type Executor interface {
	// Decode computes a batch. After an error nothing in the cache about the
	// batch's sequences can be relied on.
	Decode([]Input) (Outcome, error)
	// Remove forgets a sequence's tokens from a position on. It returns false if
	// the model cannot keep a part of a sequence; then nothing changed.
	Remove(sequence, from int) bool
	// Copy gives the positions [from, end) of source to another sequence; they
	// take no room of their own.
	Copy(source, to, from, end int)
	// Abort makes the Decode under way return Aborted soon. It is called from
	// any goroutine.
	Abort()
	// ClearAbort takes Abort back.
	ClearAbort()
}

// Sampler chooses the tokens of one sequence.
type Sampler interface {
	// Accept tells of a token of the prompt.
	Accept(Token)
	// Sample chooses the token that follows the batch's input at an index that
	// asked for output. NoToken means that none is allowed.
	Sample(index int) Token
	// Close frees the sampler.
	Close()
}

// Vocabulary tells what tokens mean. It is safe for concurrent use.
type Vocabulary interface {
	// Piece returns a token's bytes.
	Piece(Token) []byte
	// IsEnd tells whether a token ends generation.
	IsEnd(Token) bool
}

// Config sizes a Scheduler.
type Config struct {
	// ContextTokens is the room of the cache, for all sequences together.
	ContextTokens int
	// BatchTokens is the most tokens of one batch.
	BatchTokens int
	// PromptTokens is the most tokens of prompts in one batch; 0: BatchTokens.
	PromptTokens int
	// Parallel is the most sequences that are worked on at once.
	Parallel int
	// Slots is the number of sequences that the cache can tell apart, at least
	// Parallel. Those that are not at work keep finished conversations.
	Slots int
	// KeepsEveryPosition tells that any prefix of a sequence can be kept and
	// copied.
	KeepsEveryPosition bool
	// Work is called with the number of tokens that were computed. It may be
	// nil.
	Work func(tokens int)
	// Now is the clock by which batches are sized; nil is time.Now.
	Now func() time.Time
}

// Request asks for one generation.
type Request struct {
	// Prompt is at least one token.
	Prompt []Token
	// MaxTokens is the most tokens to generate, at least 1.
	MaxTokens int
	// CapToRoom lets MaxTokens be cut to what fits behind the prompt. Otherwise
	// a request that may not fit is refused.
	CapToRoom bool
	// Stop strings end the text before them.
	Stop []string
	// InsideThought tells that the prompt ends within a model's thought.
	InsideThought bool
	// Sampler chooses the tokens. Generate closes it.
	Sampler Sampler
}

// Result tells how a generation ended.
type Result struct {
	Finish gatewayv1.FinishReason
	// PromptTokens were read; CachedTokens of them were computed before, by this
	// or another request.
	PromptTokens, CachedTokens int
	// CompletionTokens were generated; one that ended the turn counts.
	CompletionTokens int
}
