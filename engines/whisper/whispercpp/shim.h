// C functions that the whisper.cpp Go binding lacks: a state for each stream, a load
// that reports progress and can be cancelled, and computations that can be cancelled
// between two nodes of their graph.
#ifndef MODELGATEWAY_WHISPERCPP_SHIM_H
#define MODELGATEWAY_WHISPERCPP_SHIM_H

#include <ggml-backend.h>
#include <stdbool.h>
#include <stdint.h>
#include <whisper.h>

// mg_control is shared by the thread that computes and the threads that cancel and
// observe it.
typedef struct mg_control mg_control;

mg_control *mg_control_new(void);
void mg_control_free(mg_control *c);
void mg_control_set_abort(mg_control *c, bool abort);
bool mg_control_aborted(mg_control *c);
// mg_control_graphs returns the number of completed graphs: three for each 30 s window
// of the encoder, one for each step of the decoder.
uint64_t mg_control_graphs(mg_control *c);
// mg_control_nodes returns the number of computed nodes; it grows during a computation.
uint64_t mg_control_nodes(mg_control *c);
// mg_control_bytes returns how many bytes a load has read.
uint64_t mg_control_bytes(mg_control *c);

// mg_log_set sets the log callback, a ggml_log_callback, and its data.
void mg_log_set(void *callback, uintptr_t data);

// mg_model_load loads a model without a state. It can be cancelled after the first
// header bytes, while it reads the weights. A model that it returns after a
// cancellation is incomplete and must be freed.
struct whisper_context *mg_model_load(const char *path, struct whisper_context_params params, uint64_t header,
                                      mg_control *control);

// mg_vad_load loads a voice activity model.
struct whisper_vad_context *mg_vad_load(const char *path, int n_threads);

// mg_full is whisper_full_with_state with the callbacks of run, a cgo handle. State.params
// in state.go fills params.
int mg_full(struct whisper_context *ctx, struct whisper_state *state, struct whisper_full_params params,
            const float *samples, int n_samples, mg_control *control, uintptr_t run);

// mg_detect_language encodes audio_ctx positions, all of them if it is 0, fills probabilities, whisper_lang_max_id() + 1 of them, and
// returns the id of the most likely language, or a negative number after a failure.
int mg_detect_language(struct whisper_context *ctx, struct whisper_state *state, const float *samples, int n_samples,
                       int n_threads, int audio_ctx, float *probabilities, mg_control *control);

// mg_vad finds the stretches of speech in samples.
struct whisper_vad_segments *mg_vad(struct whisper_vad_context *ctx, struct whisper_vad_params params,
                                    const float *samples, int n_samples, mg_control *control);

#endif
