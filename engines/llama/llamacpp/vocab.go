package llamacpp

/*
#include <stdlib.h>
#include "shim.h"
*/
import "C"

import (
	"math"
	"unsafe"
)

// Token is an index into a vocabulary.
type Token = int32

// NoToken stands for no token.
const NoToken Token = C.LLAMA_TOKEN_NULL

// Vocab is a model's vocabulary. It is safe for concurrent use.
type Vocab struct {
	c        *C.struct_llama_vocab
	specials []Special
	alphabet C.mg_alphabet
}

// Special is a token that the tokenizer recognises as a whole in text.
type Special struct {
	Token Token
	// Text is the text of the token.
	Text string
	// Control is true for tokens that are recognised only if parseSpecial is set.
	// The others, user-defined ones, are always recognised.
	Control bool
}

func newVocab(c *C.struct_llama_vocab) *Vocab {
	v := &Vocab{c: c}
	C.mg_alphabet_of(c, &v.alphabet)
	for t := range C.llama_vocab_n_tokens(c) {
		attr := C.llama_vocab_get_attr(c, C.llama_token(t))
		control := attr&(C.LLAMA_TOKEN_ATTR_CONTROL|C.LLAMA_TOKEN_ATTR_UNKNOWN) != 0
		if !control && attr&C.LLAMA_TOKEN_ATTR_USER_DEFINED == 0 {
			continue
		}
		if text := C.GoString(C.llama_vocab_get_text(c, C.llama_token(t))); text != "" {
			v.specials = append(v.specials, Special{Token: Token(t), Text: text, Control: control})
		}
	}
	return v
}

// Specials returns the special tokens. The slice must not be changed.
func (v *Vocab) Specials() []Special { return v.specials }

// Size returns the number of tokens.
func (v *Vocab) Size() int { return int(C.llama_vocab_n_tokens(v.c)) }

// Tokenize converts text to tokens. addSpecial adds the begin and end tokens that
// the model expects around a text. parseSpecial recognises control tokens in the
// text; it must not be set for the text of a user.
func (v *Vocab) Tokenize(text string, addSpecial, parseSpecial bool) []Token {
	if len(text) > math.MaxInt32/2 {
		return nil // the limits of the API are far below
	}
	// A token has at least one byte. The rest is for begin and end tokens.
	tokens := make([]Token, len(text)+8)
	for {
		n := int(C.llama_tokenize(v.c, (*C.char)(unsafe.Pointer(unsafe.StringData(text))), C.int32_t(len(text)),
			(*C.llama_token)(unsafe.Pointer(unsafe.SliceData(tokens))), C.int32_t(len(tokens)),
			C.bool(addSpecial), C.bool(parseSpecial)))
		if n >= 0 {
			return tokens[:n]
		}
		if n == math.MinInt32 {
			return nil
		}
		tokens = make([]Token, -n)
	}
}

// Piece returns a token's bytes, which may be a part of a UTF-8 character. Control
// tokens have none.
func (v *Vocab) Piece(t Token) []byte { return v.piece(t, false) }

// piece returns the bytes of a token; with special, of control tokens their text, as
// grammars see it.
func (v *Vocab) piece(t Token, special bool) []byte {
	buf := make([]byte, 64)
	for {
		n := int(C.llama_token_to_piece(v.c, C.llama_token(t), (*C.char)(unsafe.Pointer(unsafe.SliceData(buf))),
			C.int32_t(len(buf)), 0, C.bool(special)))
		if n >= 0 {
			return buf[:n]
		}
		buf = make([]byte, -n)
	}
}

// IsEnd reports whether a token ends a generation: the end of a text, a turn or a
// message.
func (v *Vocab) IsEnd(t Token) bool { return bool(C.llama_vocab_is_eog(v.c, C.llama_token(t))) }

// Begin returns the text of the token at the start of a text, and whether Tokenize
// adds it.
func (v *Vocab) Begin() (text string, added bool) {
	return v.text(C.llama_vocab_bos(v.c)), bool(C.llama_vocab_get_add_bos(v.c))
}

// End returns the text of the token at the end of a text, and whether Tokenize adds
// it.
func (v *Vocab) End() (text string, added bool) {
	return v.text(C.llama_vocab_eos(v.c)), bool(C.llama_vocab_get_add_eos(v.c))
}

func (v *Vocab) text(t C.llama_token) string {
	if t == C.LLAMA_TOKEN_NULL {
		return ""
	}
	return C.GoString(C.llama_vocab_get_text(v.c, t))
}
