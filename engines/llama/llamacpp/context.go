package llamacpp

/*
#include <stdlib.h>
#include "shim.h"
*/
import "C"

import (
	"fmt"
	"unsafe"

	"github.com/lexilingo/modelgateway/engines/ggml"
)

// ContextOptions are the sizes of a context.
type ContextOptions struct {
	// Tokens is the number of tokens that all sequences share.
	Tokens int
	// Batch is the largest number of tokens in one Decode.
	Batch int
	// MicroBatch is the largest number of tokens that are computed together; it
	// determines the size of the compute buffers.
	MicroBatch int
	// Sequences is the number of sequences.
	Sequences int
	// Outputs is the largest number of outputs that one Decode may request, at least
	// Sequences.
	Outputs int
	// Threads is the number of compute threads.
	Threads int
}

// Status is the result of a Decode.
type Status int

// The results of a Decode.
const (
	// Decoded means that every token was computed.
	Decoded Status = 0
	// NoRoom means that the cache has no room for the batch; nothing changed.
	NoRoom Status = 1
	// Aborted means that Abort was called. Part of the batch may be in the cache.
	Aborted Status = 2
)

// Input is one token of a batch.
type Input struct {
	Token Token
	// Position is the token's index in its sequence.
	Position int
	// Sequence is the number of its sequence, less than ContextOptions.Sequences.
	Sequence int
	// Output requests the output after this token.
	Output bool
}

// Context computes with a model. All methods except Abort, ClearAbort and Polls
// must be called by one thread at a time.
type Context struct {
	c          *C.struct_llama_context
	memory     C.llama_memory_t
	control    *C.mg_control
	batch      C.struct_llama_batch
	candidates *C.llama_token_data
	capacity   int
	log        *ggml.Log
}

// NewContext returns a context with a cache that all sequences share.
func (m *Model) NewContext(b *Backend, opts ContextOptions) (*Context, error) {
	if most := int(C.llama_max_parallel_sequences()); opts.Sequences > most {
		return nil, fmt.Errorf("%d sequences are more than the %d that llama.cpp supports", opts.Sequences, most)
	}
	control := C.mg_control_new()
	b.log.ClearErrors()
	c := C.mg_context_new(m.c, C.uint32_t(opts.Tokens), C.uint32_t(opts.Batch), C.uint32_t(opts.MicroBatch),
		C.uint32_t(opts.Sequences), C.uint32_t(opts.Outputs), C.int32_t(opts.Threads), control)
	if c == nil {
		C.mg_control_free(control)
		return nil, b.log.LastErrors("llama.cpp could not create a context")
	}
	n := C.size_t(m.vocab.Size())
	return &Context{
		c:          c,
		memory:     C.llama_get_memory(c),
		control:    control,
		batch:      C.llama_batch_init(C.int32_t(opts.Batch), 0, 1),
		candidates: (*C.llama_token_data)(C.calloc(n, C.sizeof_llama_token_data)),
		capacity:   opts.Batch,
		log:        b.log,
	}, nil
}

// Close frees the context.
func (c *Context) Close() {
	C.llama_free(c.c)
	C.llama_batch_free(c.batch)
	C.free(unsafe.Pointer(c.candidates))
	C.mg_control_free(c.control)
	*c = Context{}
}

// Tokens returns the number of tokens that all sequences share. llama.cpp may have
// rounded ContextOptions.Tokens.
func (c *Context) Tokens() int { return int(C.llama_n_ctx(c.c)) }

// SequenceTokens returns the largest number of tokens in one sequence.
func (c *Context) SequenceTokens() int { return int(C.llama_n_ctx_seq(c.c)) }

// Decode computes a batch of at most ContextOptions.Batch tokens. After an error
// the cached tokens of the batch's sequences are undefined.
func (c *Context) Decode(inputs []Input) (Status, error) {
	if len(inputs) == 0 || len(inputs) > c.capacity {
		return 0, fmt.Errorf("the batch has %d tokens, and at most %d are possible", len(inputs), c.capacity)
	}
	n := len(inputs)
	tokens := unsafe.Slice(c.batch.token, n)
	positions := unsafe.Slice(c.batch.pos, n)
	counts := unsafe.Slice(c.batch.n_seq_id, n)
	sequences := unsafe.Slice(c.batch.seq_id, n)
	outputs := unsafe.Slice(c.batch.logits, n)
	for i, in := range inputs {
		tokens[i] = C.llama_token(in.Token)
		positions[i] = C.llama_pos(in.Position)
		counts[i] = 1
		*sequences[i] = C.llama_seq_id(in.Sequence)
		outputs[i] = 0
		if in.Output {
			outputs[i] = 1
		}
	}
	c.batch.n_tokens = C.int32_t(n)
	rc := int(C.llama_decode(c.c, c.batch))
	if rc < 0 || rc > int(Aborted) {
		return 0, fmt.Errorf("llama_decode failed with %d", rc)
	}
	return Status(rc), nil
}

// Remove removes a sequence's tokens from position from on. It returns false and
// changes nothing if the model cannot keep a part of a sequence.
func (c *Context) Remove(sequence, from int) bool {
	return bool(C.llama_memory_seq_rm(c.memory, C.llama_seq_id(sequence), C.llama_pos(from), -1))
}

// Copy adds the positions [from, end) of sequence source to sequence to. The copy
// takes no additional room.
func (c *Context) Copy(source, to, from, end int) {
	C.llama_memory_seq_cp(c.memory, C.llama_seq_id(source), C.llama_seq_id(to), C.llama_pos(from), C.llama_pos(end))
}

// Abort makes the current Decode, or the next one, return Aborted soon. Only
// computations on the CPU can be aborted. It is safe for concurrent use.
func (c *Context) Abort() {
	c.log.Expect(true)
	C.mg_control_set_abort(c.control, 1)
}

// ClearAbort cancels the effect of Abort. It is safe for concurrent use.
func (c *Context) ClearAbort() {
	C.mg_control_set_abort(c.control, 0)
	c.log.Expect(false)
}

// Polls returns a number that grows while a Decode computes on the CPU. It is safe
// for concurrent use.
func (c *Context) Polls() uint64 { return uint64(C.mg_control_polls(c.control)) }
