// whisper.cpp calls its abort callback only after a graph. The encoder of a 30 s
// window is one graph, which takes a second with a small model and more than ten with
// a large one. ggml's CPU back end can stop between two nodes, but whisper.h does not
// give access to the back ends of a whisper_state. This file is not needed any more
// when whisper.cpp passes its abort callback to the back ends.
//
// libwhisper computes every graph with the public function
// ggml_backend_sched_graph_compute. This file defines a function of that name. On ELF
// systems the dynamic linker prefers the program's definition to a library's, so
// libwhisper calls this one, which sets the back ends' abort callback and calls ggml's
// function. On other systems (macOS binds a symbol to its library) nothing calls it: a
// cancellation waits for the end of the graph, and mg_control_graphs stays 0.
#define _GNU_SOURCE // for RTLD_NEXT
#include <dlfcn.h>
#include <stdlib.h>

#include "control.h"

static _Thread_local mg_control *current;

void mg_control_enter(mg_control *c) { current = c; }

void mg_control_leave(void) { current = NULL; }

// between_nodes is called for each node by the thread that computes.
static bool between_nodes(void *data) {
	mg_control *c = data;
	atomic_fetch_add_explicit(&c->nodes, 1, memory_order_relaxed);
	return atomic_load_explicit(&c->abort, memory_order_relaxed);
}

static void set_abort(ggml_backend_sched_t sched, ggml_abort_callback callback, void *data) {
	for (int i = 0; i < ggml_backend_sched_get_n_backends(sched); i++) {
		ggml_backend_t backend = ggml_backend_sched_get_backend(sched, i);
		ggml_backend_dev_t device = ggml_backend_get_device(backend);
		if (device == NULL || ggml_backend_dev_type(device) != GGML_BACKEND_DEVICE_TYPE_CPU) {
			continue;
		}
		ggml_backend_set_abort_callback_t set = (ggml_backend_set_abort_callback_t)ggml_backend_reg_get_proc_address(
		    ggml_backend_dev_backend_reg(device), "ggml_backend_set_abort_callback");
		if (set != NULL) {
			set(backend, callback, data);
		}
	}
}

__attribute__((visibility("default"))) enum ggml_status ggml_backend_sched_graph_compute(ggml_backend_sched_t sched,
                                                                                          struct ggml_cgraph *graph) {
	typedef enum ggml_status (*compute_function)(ggml_backend_sched_t, struct ggml_cgraph *);
	static _Atomic(compute_function) found;
	compute_function compute = atomic_load(&found);
	if (compute == NULL) {
		compute = (compute_function)dlsym(RTLD_NEXT, "ggml_backend_sched_graph_compute");
		if (compute == NULL) {
			abort(); // the program is not linked with ggml
		}
		atomic_store(&found, compute);
	}
	mg_control *c = current;
	if (c == NULL) {
		return compute(sched, graph);
	}
	set_abort(sched, between_nodes, c);
	const enum ggml_status status = compute(sched, graph);
	set_abort(sched, NULL, NULL);
	if (status == GGML_STATUS_SUCCESS) {
		atomic_fetch_add(&c->graphs, 1);
	}
	return status;
}
