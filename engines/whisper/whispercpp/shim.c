#include "shim.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "_cgo_export.h"
#include "control.h"

mg_control *mg_control_new(void) { return calloc(1, sizeof(mg_control)); }

void mg_control_free(mg_control *c) { free(c); }

void mg_control_set_abort(mg_control *c, bool abort) { atomic_store(&c->abort, abort); }

bool mg_control_aborted(mg_control *c) { return atomic_load_explicit(&c->abort, memory_order_relaxed); }

uint64_t mg_control_graphs(mg_control *c) { return atomic_load(&c->graphs); }

uint64_t mg_control_nodes(mg_control *c) { return atomic_load(&c->nodes); }

uint64_t mg_control_bytes(mg_control *c) { return atomic_load(&c->bytes); }

void mg_log_set(void *callback, uintptr_t data) { whisper_log_set((ggml_log_callback)callback, (void *)data); }

// source is the file of a model.
struct source {
	FILE *file;
	uint64_t header;
	mg_control *control;
	bool ended;
};

enum { piece = 1 << 20 }; // bytes between two checks for a cancellation

// read_source reads size bytes. whisper.cpp ignores the returned size; it checks for the
// end of the file after the header of each tensor.
static size_t read_source(void *data, void *output, size_t size) {
	struct source *s = data;
	uint8_t *to = output;
	for (size_t left = size; left > 0 && !s->ended;) {
		if (atomic_load(&s->control->bytes) >= s->header && mg_control_aborted(s->control)) {
			s->ended = true;
			break;
		}
		const size_t got = fread(to, 1, left < piece ? left : piece, s->file);
		atomic_fetch_add(&s->control->bytes, got);
		s->ended = got == 0;
		to += got;
		left -= got;
	}
	return size;
}

static bool source_ended(void *data) { return ((struct source *)data)->ended; }

static void close_source(void *data) {
	struct source *s = data;
	if (s->file != NULL) {
		fclose(s->file);
		s->file = NULL;
	}
}

static struct whisper_model_loader loader_of(struct source *s) {
	return (struct whisper_model_loader){
	    .context = s, .read = read_source, .eof = source_ended, .close = close_source};
}

struct whisper_context *mg_model_load(const char *path, struct whisper_context_params params, uint64_t header,
                                      mg_control *control) {
	struct source s = {.file = fopen(path, "rb"), .header = header, .control = control};
	if (s.file == NULL) {
		return NULL;
	}
	struct whisper_model_loader loader = loader_of(&s);
	struct whisper_context *ctx = whisper_init_with_params_no_state(&loader, params);
	close_source(&s);
	return ctx;
}

struct whisper_vad_context *mg_vad_load(const char *path, int n_threads) {
	struct whisper_vad_context_params params = whisper_vad_default_context_params();
	params.n_threads = n_threads;
	params.use_gpu = false;
	mg_control control = {0};
	struct source s = {.file = fopen(path, "rb"), .control = &control};
	if (s.file == NULL) {
		return NULL;
	}
	struct whisper_model_loader loader = loader_of(&s);
	struct whisper_vad_context *ctx = whisper_vad_init_with_params(&loader, params);
	close_source(&s);
	return ctx;
}

// after_graph is whisper.cpp's abort callback, which is called after each graph.
static bool after_graph(void *data) { return mg_control_aborted(data); }

static void on_progress(struct whisper_context *ctx, struct whisper_state *state, int progress, void *data) {
	(void)ctx, (void)state;
	goProgress(progress, (uintptr_t)data);
}

static bool on_window(struct whisper_context *ctx, struct whisper_state *state, void *data) {
	(void)ctx, (void)state;
	return goWindow((uintptr_t)data) != 0;
}

static void on_segment(struct whisper_context *ctx, struct whisper_state *state, int n_new, void *data) {
	(void)ctx, (void)state;
	goSegment(n_new, (uintptr_t)data);
}

int mg_full(struct whisper_context *ctx, struct whisper_state *state, struct whisper_full_params params,
            const float *samples, int n_samples, mg_control *control, uintptr_t run) {
	params.print_progress = false;
	params.print_realtime = false;
	params.print_special = false;
	params.abort_callback = after_graph;
	params.abort_callback_user_data = control;
	params.progress_callback = on_progress;
	params.progress_callback_user_data = (void *)run;
	params.encoder_begin_callback = on_window;
	params.encoder_begin_callback_user_data = (void *)run;
	params.new_segment_callback = on_segment;
	params.new_segment_callback_user_data = (void *)run;
	mg_control_enter(control);
	const int status = whisper_full_with_state(ctx, state, params, samples, n_samples);
	mg_control_leave();
	return status;
}

// no_window ends a run before its first window.
static bool no_window(struct whisper_context *ctx, struct whisper_state *state, void *data) {
	(void)ctx, (void)state, (void)data;
	return false;
}

// set_audio_ctx sets how many positions the encoder computes, which only a run does.
static int set_audio_ctx(struct whisper_context *ctx, struct whisper_state *state, int n_threads, int audio_ctx) {
	struct whisper_full_params params = whisper_full_default_params(WHISPER_SAMPLING_GREEDY);
	params.print_progress = false;
	params.n_threads = n_threads;
	params.audio_ctx = audio_ctx;
	params.encoder_begin_callback = no_window;
	return whisper_full_with_state(ctx, state, params, NULL, 0);
}

int mg_detect_language(struct whisper_context *ctx, struct whisper_state *state, const float *samples, int n_samples,
                       int n_threads, int audio_ctx, float *probabilities, mg_control *control) {
	mg_control_enter(control);
	int id = -1;
	if (whisper_pcm_to_mel_with_state(ctx, state, samples, n_samples, n_threads) == 0 &&
	    set_audio_ctx(ctx, state, n_threads, audio_ctx) == 0 && !mg_control_aborted(control)) {
		id = whisper_lang_auto_detect_with_state(ctx, state, 0, n_threads, probabilities);
	}
	mg_control_leave();
	return id;
}

struct whisper_vad_segments *mg_vad(struct whisper_vad_context *ctx, struct whisper_vad_params params,
                                    const float *samples, int n_samples, mg_control *control) {
	mg_control_enter(control);
	struct whisper_vad_segments *found = whisper_vad_segments_from_samples(ctx, params, samples, n_samples);
	mg_control_leave();
	return found;
}
