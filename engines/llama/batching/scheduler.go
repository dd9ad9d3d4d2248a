package batching

import (
	"context"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/engines/llama/textstream"
)

// Scheduler runs generations. Its methods are safe for concurrent use.
type Scheduler struct {
	config   Config
	executor Executor
	vocab    Vocabulary
	wake     chan struct{}
	stopped  chan struct{}

	// Only the goroutine of run uses these.
	slots  []*slot
	pool   *cellPool
	active []*sequence // with a slot, in order of arrival
	tick   uint64
	pace   pace
	cost   batchCost
	odds   odds // with which the next sequence begins
	limit  int  // tokens of the next batch; below BatchTokens after NoRoom
	// tokenTook is the duration of the last batch without prompts.
	tokenTook time.Duration
	drafted   int // tokens of drafts in the current batch
	batch     []Input
	// retried are the sequences of the last batch if it was aborted. The next batch
	// is for them alone: each abort leaves fewer sequences that can abort the next
	// batch, so repeated cancels do not starve the others.
	retried []*sequence

	mu        sync.Mutex
	queue     []*sequence // without a slot, in order of arrival
	computing []part      // the current batch
	slow      bool        // the current batch may take longer than a cancel may take
	closing   bool
}

// New starts a scheduler. Close must be called before the executor is freed.
func New(config Config, executor Executor, vocab Vocabulary) *Scheduler {
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Work == nil {
		config.Work = func(int) {}
	}
	if config.PromptTokens == 0 {
		config.PromptTokens = config.BatchTokens
	}
	s := &Scheduler{
		config:   config,
		executor: executor,
		vocab:    vocab,
		wake:     make(chan struct{}, 1),
		stopped:  make(chan struct{}),
		pool:     newCellPool(config.ContextTokens),
		limit:    config.BatchTokens,
		odds:     firstOdds,
		// The speed is not known yet, so the first batch may be aborted.
		tokenTook: fastBatch + 1,
	}
	for i := range max(config.Slots, config.Parallel) {
		s.slots = append(s.slots, &slot{id: i})
	}
	go s.run()
	return s
}

// Close ends all generations with DRAINING and waits until they have ended.
func (s *Scheduler) Close() {
	s.mu.Lock()
	s.closing = true
	if len(s.computing) > 0 {
		s.executor.Abort()
	}
	s.mu.Unlock()
	s.signal()
	<-s.stopped
}

// Generate runs one generation and calls emit with each piece of its output, in the
// calling goroutine. If ctx ends or emit fails, it stops the work and returns that
// error; it never returns before the work has stopped. A request that can never
// fit is INVALID_REQUEST.
func (s *Scheduler) Generate(ctx context.Context, req Request, emit func(Output) error) (Result, error) {
	seq, err := s.newSequence(req)
	if err == nil {
		err = s.submit(seq)
	}
	if err != nil {
		req.Sampler.Close()
		return Result{}, err
	}
	defer context.AfterFunc(ctx, func() { s.cancel(seq, ctx.Err()) })()
	var failed error
	for {
		piece, done := seq.out.take()
		if !piece.empty() && failed == nil {
			if failed = emit(piece); failed != nil {
				s.cancel(seq, failed)
			}
		}
		if done {
			return seq.out.result, seq.out.err
		}
	}
}

// newSequence checks a request against the context's size.
func (s *Scheduler) newSequence(req Request) (*sequence, error) {
	prompt, room := len(req.Prompt), s.config.ContextTokens
	withSizes := func(e *errs.Error) error {
		return e.With("prompt_tokens", strconv.Itoa(prompt)).With("context_tokens", strconv.Itoa(room))
	}
	switch {
	case prompt == 0:
		return nil, errs.New(errs.InvalidRequest, "the prompt is empty")
	case prompt >= room:
		return nil, withSizes(errs.New(errs.InvalidRequest,
			"the prompt has %d tokens, and the context window has room for %d; send less of the conversation", prompt, room))
	case prompt+req.MaxTokens > room && !req.CapToRoom:
		return nil, withSizes(errs.New(errs.InvalidRequest,
			"the prompt's %d tokens and max_tokens %d exceed the context window of %d tokens; set max_tokens to at most %d",
			prompt, req.MaxTokens, room, room-prompt))
	}
	return &sequence{
		sampler: req.Sampler,
		prompt:  prompt,
		limit:   min(prompt+max(1, req.MaxTokens), room),
		copies:  s.config.KeepsEveryPosition,
		text:    textstream.New(req.Stop, req.InsideThought),
		tokens:  slices.Clone(req.Prompt),
		out:     mailbox{signal: make(chan struct{}, 1)},
	}, nil
}

func (s *Scheduler) submit(seq *sequence) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return drainingError()
	}
	s.queue = append(s.queue, seq)
	s.signal()
	return nil
}

func drainingError() error { return errs.New(errs.Draining, "the model is being unloaded") }

// cancel stops a sequence: at once if it is in the current batch and that batch is
// slow, else before the next batch.
func (s *Scheduler) cancel(seq *sequence, cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if seq.cancelled == nil {
		seq.cancelled = cause
	}
	if s.slow && slices.ContainsFunc(s.computing, func(p part) bool { return p.seq == seq }) {
		s.executor.Abort()
	}
	s.signal()
}

func (s *Scheduler) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// run is the body of the goroutine that uses the executor.
func (s *Scheduler) run() {
	defer close(s.stopped)
	// Libraries below an executor keep state for each thread.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for {
		s.endCancelled()
		if s.endAllIfClosing() {
			return
		}
		s.admit()
		if len(s.active) == 0 {
			<-s.wake
			continue
		}
		s.step()
	}
}

// endAllIfClosing ends all sequences if Close was called, and reports whether it
// was.
func (s *Scheduler) endAllIfClosing() bool {
	s.mu.Lock()
	closing, waiting := s.closing, s.queue
	if closing {
		s.queue = nil
	}
	s.mu.Unlock()
	if !closing {
		return false
	}
	for _, seq := range slices.Concat(s.active, waiting) {
		s.end(seq, Result{}, drainingError())
	}
	return true
}

// endCancelled ends the sequences that were cancelled.
func (s *Scheduler) endCancelled() {
	s.mu.Lock()
	var dropped []*sequence
	s.queue = slices.DeleteFunc(s.queue, func(seq *sequence) bool {
		if seq.cancelled != nil {
			dropped = append(dropped, seq)
		}
		return seq.cancelled != nil
	})
	for _, seq := range s.active {
		if seq.cancelled != nil {
			dropped = append(dropped, seq)
		}
	}
	s.mu.Unlock()
	for _, seq := range dropped {
		s.end(seq, seq.result(0), seq.cancelled)
	}
}

// end removes a sequence from its slot, whose tokens stay cached, and gives its
// caller the result.
func (s *Scheduler) end(seq *sequence, r Result, err error) {
	if seq.drafts > 0 {
		s.odds.learn(seq.odds)
	}
	if seq.slot != nil {
		s.active = slices.DeleteFunc(s.active, func(a *sequence) bool { return a == seq })
		seq.slot.owner = nil
		seq.slot.used = s.tick
		seq.slot = nil
	}
	seq.sampler.Close()
	seq.out.finish(r, err)
}
