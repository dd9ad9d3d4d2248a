package llamacpp

/*
#include <stdlib.h>
#include "shim.h"
*/
import "C"

import (
	"errors"
	"strings"
	"unsafe"
)

// ErrGrammar is returned for a grammar that llama.cpp refuses.
var ErrGrammar = errors.New("the grammar is not valid")

// Sampling says how tokens are chosen. The zero value of a field is not replaced by
// a default.
type Sampling struct {
	// Temperature 0 always takes the most likely token.
	Temperature float32
	// TopK keeps the k most likely tokens; 0 keeps all.
	TopK int
	// TopP keeps the most likely tokens whose probabilities add up to it; 1 keeps
	// all.
	TopP float32
	// MinP keeps tokens with at least this probability relative to the most likely
	// one; 0 keeps all.
	MinP float32
	// RepeatPenalty divides the logits of tokens in the window; 1 is off.
	RepeatPenalty float32
	// PresencePenalty is subtracted for tokens in the window; 0 is off.
	PresencePenalty float32
	// FrequencyPenalty is subtracted for each occurrence; 0 is off.
	FrequencyPenalty float32
	// PenaltyWindow is the number of past tokens that penalties count.
	PenaltyWindow int
	// Seed is the seed of the random choice.
	Seed uint32
	// Grammar is a GBNF grammar with the rule "root" that the text must match; empty
	// is none.
	Grammar string
	// Written are control tokens that may be in the text. Others may not, because they
	// have no text in the answer, and a grammar does not know that.
	Written []Token
}

// Sampler chooses the tokens of one sequence.
type Sampler struct {
	chain   *C.struct_llama_sampler
	grammar *C.struct_llama_sampler
	plain   bool // the chain only takes the most likely token
	written []Token
	forced  forced
}

// NewSampler returns a sampler. Its only error is ErrGrammar.
func (m *Model) NewSampler(s Sampling) (*Sampler, error) {
	out := &Sampler{written: s.Written}
	if s.Grammar != "" {
		out.grammar = m.newGrammar(s.Grammar)
		if out.grammar == nil {
			return nil, ErrGrammar
		}
		out.forced = forced{vocab: m.vocab, grammar: m.newGrammar(s.Grammar)}
	}
	out.chain = C.llama_sampler_chain_init(C.struct_llama_sampler_chain_params{no_perf: true})
	add := func(c *C.struct_llama_sampler) { C.llama_sampler_chain_add(out.chain, c) }

	var suppressed C.int32_t
	if list := C.llama_vocab_get_suppress_tokens(m.vocab.c, &suppressed); suppressed > 0 {
		add(suppress(m.vocab.Size(), unsafe.Slice(list, suppressed)))
	}
	if s.PenaltyWindow != 0 && (s.RepeatPenalty != 1 || s.PresencePenalty != 0 || s.FrequencyPenalty != 0) {
		add(C.llama_sampler_init_penalties(C.int32_t(m.vocab.Size()), C.int32_t(s.PenaltyWindow), C.float(s.RepeatPenalty),
			C.float(s.FrequencyPenalty), C.float(s.PresencePenalty)))
	}
	if s.Temperature <= 0 {
		out.plain = C.llama_sampler_chain_n(out.chain) == 0
		add(C.llama_sampler_init_greedy())
		return out, nil
	}
	if s.TopK > 0 {
		add(C.llama_sampler_init_top_k(C.int32_t(s.TopK)))
	}
	if s.TopP < 1 {
		add(C.llama_sampler_init_top_p(C.float(s.TopP), 1))
	}
	if s.MinP > 0 {
		add(C.llama_sampler_init_min_p(C.float(s.MinP), 1))
	}
	add(C.llama_sampler_init_temp(C.float(s.Temperature)))
	add(C.llama_sampler_init_dist(C.uint32_t(s.Seed)))
	return out, nil
}

func (m *Model) newGrammar(text string) *C.struct_llama_sampler {
	// llama.cpp reads a C string, so a NUL would cut the grammar.
	if strings.ContainsRune(text, 0) {
		return nil
	}
	grammar, root := C.CString(text), C.CString("root")
	defer C.free(unsafe.Pointer(grammar))
	defer C.free(unsafe.Pointer(root))
	return C.llama_sampler_init_grammar(m.vocab.c, grammar, root)
}

func suppress(vocabSize int, tokens []C.llama_token) *C.struct_llama_sampler {
	const never = -1e9 // as in llama.cpp: finite, so that sums stay numbers
	biases := make([]C.llama_logit_bias, len(tokens))
	for i, t := range tokens {
		biases[i] = C.llama_logit_bias{token: t, bias: never}
	}
	return C.llama_sampler_init_logit_bias(C.int32_t(vocabSize), C.int32_t(len(biases)), unsafe.SliceData(biases))
}

// Accept passes a token of the prompt, for the penalties.
func (s *Sampler) Accept(t Token) { C.llama_sampler_accept(s.chain, C.llama_token(t)) }

// Sample chooses a token from the output at index i of the context's last batch.
// It returns NoToken if the grammar allows none.
func (s *Sampler) Sample(c *Context, i int) Token {
	t := Token(C.mg_sample(c.c, C.int32_t(i), s.chain, C.bool(s.plain), s.grammar, c.candidates,
		(*C.llama_token)(unsafe.SliceData(s.written)), C.int32_t(len(s.written))))
	if t != NoToken {
		s.forced.accept(t)
	}
	return t
}

// Likelihood is a token and the logarithm of its probability.
type Likelihood struct {
	Token   Token
	Logprob float32
}

// Logprobs returns the probability of a token at the output at index i of the last
// batch, as the model computed it, and the top most likely tokens, most likely first.
func (c *Context) Logprobs(i int, t Token, top int) (Likelihood, []Likelihood) {
	likely := make([]C.mg_likelihood, top+1)
	n := C.mg_logprobs(c.c, C.int32_t(i), C.llama_token(t), unsafe.SliceData(likely), C.int32_t(top))
	out := make([]Likelihood, int(n)+1)
	for j := range out {
		out[j] = Likelihood{Token: Token(likely[j].id), Logprob: float32(likely[j].logprob)}
	}
	return out[0], out[1:]
}

// Close frees the sampler.
func (s *Sampler) Close() {
	C.llama_sampler_free(s.chain)
	C.llama_sampler_free(s.grammar)
	s.forced.close()
	*s = Sampler{}
}
