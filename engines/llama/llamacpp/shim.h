// C helpers for what Go cannot do or is too slow for: callbacks that must not enter
// the Go runtime while a graph is computed, and loops over a whole vocabulary.
#ifndef MODELGATEWAY_LLAMACPP_SHIM_H
#define MODELGATEWAY_LLAMACPP_SHIM_H

#include <llama.h>
#include <stdint.h>

// mg_control is shared by the thread that computes and those that cancel.
typedef struct mg_control mg_control;

mg_control *mg_control_new(void);
void mg_control_free(mg_control *c);
void mg_control_set_abort(mg_control *c, int abort);
// mg_control_polls returns the number of computed graph nodes. It grows during a
// decode.
uint64_t mg_control_polls(mg_control *c);

// mg_log_set takes a ggml_log_callback and its data.
void mg_log_set(void *callback, uintptr_t data);

struct llama_model *mg_model_load(const char *path, ggml_backend_dev_t *devices, int32_t n_gpu_layers,
                                  enum llama_load_mode mode, uintptr_t progress);

struct llama_context *mg_context_new(struct llama_model *model, uint32_t n_ctx, uint32_t n_batch, uint32_t n_ubatch,
                                     uint32_t n_seq, uint32_t n_outputs, int32_t n_threads, mg_control *control);

// mg_sample chooses a token from output i of the last decode and passes it to both
// samplers. The grammar may be NULL. It first checks the token that the chain
// chooses, and the whole vocabulary only if it forbids that token, which keeps
// constrained decoding fast. plain says that the chain only takes the most likely
// token. With a grammar, control tokens are only allowed if they are in written or end
// the text. candidates must have room for the vocabulary. mg_sample returns
// LLAMA_TOKEN_NULL if there is no output i or no token is allowed.
llama_token mg_sample(struct llama_context *ctx, int32_t i, struct llama_sampler *chain, bool plain,
                      struct llama_sampler *grammar, llama_token_data *candidates, const llama_token *written,
                      int32_t n_written);

enum { MG_GROUPS = 3 };

// mg_alphabet has the tokens of a vocabulary that are one byte.
typedef struct {
	llama_token bytes[256];     // of each byte, or LLAMA_TOKEN_NULL
	llama_token end;            // one that ends a text, or LLAMA_TOKEN_NULL if ends are not found
	uint8_t order[256];         // the bytes that have a token, in groups that are tried one by one
	size_t from[MG_GROUPS + 1]; // where the groups begin
} mg_alphabet;

void mg_alphabet_of(const struct llama_vocab *vocab, mg_alphabet *out);

// What mg_forced returns if it is not a byte.
enum { MG_CHOICE = -1, MG_END = -2, MG_NOTHING = -3 };

// mg_forced returns the only byte that a grammar allows next, MG_END if the text must
// end, or MG_CHOICE, also where the text may go on or end. If an ASCII character is allowed, it does not try other characters.
int32_t mg_forced(struct llama_sampler *grammar, const mg_alphabet *alphabet);

// mg_accept passes a token to a grammar, and returns false if the grammar forbids it.
bool mg_accept(struct llama_sampler *grammar, llama_token token);

// mg_likelihood is a token and the logarithm of its probability.
typedef struct {
	llama_token id;
	float logprob;
} mg_likelihood;

// mg_logprobs writes the likelihood of a token at output i of the last decode to out,
// then those of the top most likely tokens, and returns how many of these there are.
int32_t mg_logprobs(struct llama_context *ctx, int32_t i, llama_token token, mg_likelihood *out, int32_t top);

#endif
