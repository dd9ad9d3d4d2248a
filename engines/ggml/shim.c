#define _GNU_SOURCE // for dladdr
#include "shim.h"

#include <dlfcn.h>

#include "_cgo_export.h"

void mg_ggml_log(enum ggml_log_level level, const char *text, void *data) {
	goGGMLLog((int)level, (char *)text, (uintptr_t)data);
}

const char *mg_ggml_library(void) {
	Dl_info info;
	return dladdr((void *)ggml_backend_load_all, &info) != 0 ? info.dli_fname : NULL;
}
