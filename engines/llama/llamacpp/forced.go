package llamacpp

/*
#include "shim.h"
*/
import "C"

// forced finds out what a grammar forces. It has a grammar of its own, which is ahead of
// the sampler's by the forced text: that text will come, in whatever tokens, so nothing
// must ever be taken back.
type forced struct {
	vocab   *Vocab
	grammar *C.struct_llama_sampler // nil if it is not known any more
	text    []byte
	open    bool // what follows the text is not forced
	ends    bool // after the text, the answer ends
}

// maxForced is the number of bytes that are looked ahead. It is more than one batch of
// drafted tokens usually has.
const maxForced = 128

// look extends the text as far as it is forced.
func (f *forced) look() {
	for f.grammar != nil && !f.open && !f.ends && len(f.text) < maxForced {
		next := C.mg_forced(f.grammar, &f.vocab.alphabet)
		switch {
		case next == C.MG_END:
			f.ends = true
		case next < 0:
			f.open = true
		default:
			f.text = append(f.text, byte(next))
			f.take(f.vocab.alphabet.bytes[next])
		}
	}
}

// accept passes a chosen token.
func (f *forced) accept(t Token) {
	if f.grammar == nil {
		return
	}
	if len(f.text) == 0 {
		f.take(C.llama_token(t))
		return
	}
	for _, b := range f.vocab.piece(t, true) {
		switch {
		case len(f.text) == 0:
			f.take(f.vocab.alphabet.bytes[b])
		case f.text[0] == b:
			f.text = f.text[1:]
		default:
			f.close() // characters other than ASCII were allowed, too
		}
		if f.grammar == nil {
			return
		}
	}
}

// take passes a token after the text to the grammar.
func (f *forced) take(t C.llama_token) {
	f.open = false
	if !C.mg_accept(f.grammar, t) {
		f.close() // the vocabulary has no token for a byte
	}
}

func (f *forced) close() {
	C.llama_sampler_free(f.grammar)
	*f = forced{}
}

// Forced returns the text that the grammar forces after the chosen tokens, as far as it
// is known, and a token that ends the text if it must end here, else NoToken.
func (s *Sampler) Forced() (text string, end Token) {
	s.forced.look()
	if s.forced.ends && len(s.forced.text) == 0 {
		return "", Token(s.forced.vocab.alphabet.end)
	}
	return string(s.forced.text), NoToken
}
