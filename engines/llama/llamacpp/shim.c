#include "shim.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "_cgo_export.h"

struct mg_control {
	atomic_int abort;
	atomic_ullong polls;
};

mg_control *mg_control_new(void) { return calloc(1, sizeof(mg_control)); }

void mg_control_free(mg_control *c) { free(c); }

void mg_control_set_abort(mg_control *c, int abort) { atomic_store(&c->abort, abort); }

uint64_t mg_control_polls(mg_control *c) { return atomic_load(&c->polls); }

static bool should_abort(void *data) {
	mg_control *c = data;
	atomic_fetch_add_explicit(&c->polls, 1, memory_order_relaxed);
	return atomic_load_explicit(&c->abort, memory_order_relaxed) != 0;
}

void mg_log_set(void *callback, uintptr_t data) { llama_log_set((ggml_log_callback)callback, (void *)data); }

static bool on_progress(float fraction, void *data) { return goProgress(fraction, (uintptr_t)data) != 0; }

struct llama_model *mg_model_load(const char *path, ggml_backend_dev_t *devices, int32_t n_gpu_layers,
                                  enum llama_load_mode mode, uintptr_t progress) {
	struct llama_model_params p = llama_model_default_params();
	p.devices = devices;
	p.n_gpu_layers = n_gpu_layers;
	p.load_mode = mode;
	p.progress_callback = on_progress;
	p.progress_callback_user_data = (void *)progress;
	return llama_model_load_from_file(path, p);
}

struct llama_context *mg_context_new(struct llama_model *model, uint32_t n_ctx, uint32_t n_batch, uint32_t n_ubatch,
                                     uint32_t n_seq, uint32_t n_outputs, int32_t n_threads, mg_control *control) {
	struct llama_context_params p = llama_context_default_params();
	p.n_ctx = n_ctx;
	p.n_batch = n_batch;
	p.n_ubatch = n_ubatch;
	p.n_seq_max = n_seq;
	p.n_outputs_max = n_outputs;
	p.n_threads = n_threads;
	p.n_threads_batch = n_threads;
	p.kv_unified = true;
	p.no_perf = true;
	p.abort_callback = should_abort;
	p.abort_callback_data = control;
	return llama_init_from_model(model, p);
}

// fill creates the candidates of a choice from the logits.
static llama_token_data_array fill(llama_token_data *data, const float *logits, int32_t n) {
	for (int32_t id = 0; id < n; id++) {
		data[id] = (llama_token_data){.id = id, .logit = logits[id], .p = 0};
	}
	return (llama_token_data_array){.data = data, .size = (size_t)n, .selected = -1, .sorted = false};
}

static llama_token selected(const llama_token_data_array *c) {
	if (c->selected < 0 || (size_t)c->selected >= c->size || c->data[c->selected].logit == -INFINITY) {
		return LLAMA_TOKEN_NULL;
	}
	return c->data[c->selected].id;
}

static bool allowed(struct llama_sampler *grammar, llama_token token) {
	llama_token_data one = {.id = token, .logit = 1, .p = 0};
	llama_token_data_array only = {.data = &one, .size = 1, .selected = -1, .sorted = false};
	llama_sampler_apply(grammar, &only);
	return one.logit != -INFINITY;
}

// has_text reports whether a token has text in the answer or ends it. To a grammar,
// other control tokens look like text.
static bool has_text(const struct llama_vocab *vocab, llama_token token, const llama_token *written, int32_t n_written) {
	if (!llama_vocab_is_control(vocab, token) || llama_vocab_is_eog(vocab, token)) {
		return true;
	}
	for (int32_t i = 0; i < n_written; i++) {
		if (written[i] == token) {
			return true;
		}
	}
	return false;
}

// likeliest returns the choice of a greedy sampler, without copying the logits.
static llama_token likeliest(const float *logits, int32_t n) {
	int32_t best = 0;
	for (int32_t id = 1; id < n; id++) {
		if (logits[id] > logits[best]) {
			best = id;
		}
	}
	return best;
}

static llama_token choose(struct llama_sampler *chain, llama_token_data *candidates, const float *logits, int32_t n) {
	llama_token_data_array c = fill(candidates, logits, n);
	llama_sampler_apply(chain, &c);
	return selected(&c);
}

llama_token mg_sample(struct llama_context *ctx, int32_t i, struct llama_sampler *chain, bool plain,
                      struct llama_sampler *grammar, llama_token_data *candidates, const llama_token *written,
                      int32_t n_written) {
	const float *logits = llama_get_logits_ith(ctx, i);
	if (logits == NULL) {
		return LLAMA_TOKEN_NULL;
	}
	const struct llama_vocab *vocab = llama_model_get_vocab(llama_get_model(ctx));
	const int32_t n = llama_vocab_n_tokens(vocab);
	llama_token token = plain ? likeliest(logits, n) : choose(chain, candidates, logits, n);
	if (grammar != NULL) {
		if (token == LLAMA_TOKEN_NULL || !has_text(vocab, token, written, n_written) || !allowed(grammar, token)) {
			llama_token_data_array c = fill(candidates, logits, n);
			for (int32_t id = 0; id < n; id++) {
				if (!has_text(vocab, id, written, n_written)) {
					candidates[id].logit = -INFINITY;
				}
			}
			llama_sampler_apply(grammar, &c);
			llama_sampler_apply(chain, &c);
			token = selected(&c);
			// llama.cpp would throw on accepting what the grammar forbids.
			if (token == LLAMA_TOKEN_NULL || !allowed(grammar, token)) {
				return LLAMA_TOKEN_NULL;
			}
		}
		llama_sampler_accept(grammar, token);
	}
	if (token != LLAMA_TOKEN_NULL) {
		llama_sampler_accept(chain, token);
	}
	return token;
}

// among returns the only one of some bytes that a grammar allows next, or found if it
// allows none, or MG_CHOICE if together there are more.
static int32_t among(struct llama_sampler *grammar, const mg_alphabet *alphabet, const uint8_t *bytes, size_t n,
                     int32_t found) {
	llama_token_data data[256];
	for (size_t i = 0; i < n; i++) {
		data[i] = (llama_token_data){.id = alphabet->bytes[bytes[i]], .logit = 1, .p = 0};
	}
	llama_token_data_array all = {.data = data, .size = n, .selected = -1, .sorted = false};
	llama_sampler_apply(grammar, &all);
	for (size_t i = 0; i < n; i++) {
		if (data[i].logit == -INFINITY) {
			continue;
		}
		if (found != MG_NOTHING) {
			return MG_CHOICE;
		}
		found = bytes[i];
	}
	return found;
}

int32_t mg_forced(struct llama_sampler *grammar, const mg_alphabet *alphabet) {
	int32_t found = MG_NOTHING;
	for (int32_t group = 0; group < MG_GROUPS; group++) {
		found = among(grammar, alphabet, alphabet->order + alphabet->from[group],
		              alphabet->from[group + 1] - alphabet->from[group], found);
		// A grammar that allows one ASCII character and others is rare, and a draft may be
		// wrong. So the last group, which takes as long as the others, is left out.
		if (found == MG_CHOICE || (group == MG_GROUPS - 2 && found >= 0)) {
			break;
		}
	}
	// As after a call of a tool, the text may go on or end.
	if (alphabet->end != LLAMA_TOKEN_NULL && allowed(grammar, alphabet->end)) {
		return found == MG_NOTHING ? MG_END : MG_CHOICE;
	}
	return found >= 0 ? found : MG_CHOICE;
}

bool mg_accept(struct llama_sampler *grammar, llama_token token) {
	if (token == LLAMA_TOKEN_NULL || !allowed(grammar, token)) {
		return false;
	}
	llama_sampler_accept(grammar, token);
	return true;
}

// group returns the group of a byte. Of the first, most rules of a grammar allow two or none.
static int32_t group(int32_t byte) {
	if (byte >= 0x80) {
		return MG_GROUPS - 1;
	}
	return memchr("ab12", byte, 4) != NULL ? 0 : 1;
}

void mg_alphabet_of(const struct llama_vocab *vocab, mg_alphabet *out) {
	out->end = LLAMA_TOKEN_NULL;
	for (int32_t i = 0; i < 256; i++) {
		out->bytes[i] = LLAMA_TOKEN_NULL;
	}
	for (llama_token token = llama_vocab_n_tokens(vocab) - 1; token >= 0; token--) {
		char byte;
		if (llama_vocab_is_eog(vocab, token)) {
			out->end = token;
		} else if (!llama_vocab_is_control(vocab, token) &&
		           llama_token_to_piece(vocab, token, &byte, 1, 0, false) == 1) {
			out->bytes[(uint8_t)byte] = token;
		}
	}
	// Without a token for each byte of UTF-8, it is not known whether a text must end.
	for (int32_t i = 1; i <= 0xf4; i++) {
		if (out->bytes[i] == LLAMA_TOKEN_NULL && i != 0xc0 && i != 0xc1) {
			out->end = LLAMA_TOKEN_NULL;
		}
	}
	size_t n = 0;
	for (int32_t g = 0; g < MG_GROUPS; g++) {
		out->from[g] = n;
		for (int32_t i = 1; i < 256; i++) {
			if (group(i) == g && out->bytes[i] != LLAMA_TOKEN_NULL) {
				out->order[n++] = (uint8_t)i;
			}
		}
	}
	out->from[MG_GROUPS] = n;
}

int32_t mg_logprobs(struct llama_context *ctx, int32_t i, llama_token token, mg_likelihood *out, int32_t top) {
	const float *logits = llama_get_logits_ith(ctx, i);
	out[0] = (mg_likelihood){.id = token, .logprob = -INFINITY};
	if (logits == NULL) {
		return 0;
	}
	const int32_t n = llama_vocab_n_tokens(llama_model_get_vocab(llama_get_model(ctx)));
	const float most = logits[likeliest(logits, n)];
	double sum = 0;
	int32_t found = 0;
	for (int32_t id = 0; id < n; id++) {
		sum += exp((double)(logits[id] - most));
		int32_t at = found;
		while (at > 0 && logits[out[at].id] < logits[id]) {
			at--;
		}
		if (at == top) {
			continue;
		}
		found = found < top ? found + 1 : top;
		for (int32_t j = found; j > at + 1; j--) {
			out[j] = out[j - 1];
		}
		out[at + 1].id = id;
	}
	const double total = log(sum);
	for (int32_t j = 0; j <= found; j++) {
		out[j].logprob = (float)((double)(logits[out[j].id] - most) - total);
	}
	return found;
}
