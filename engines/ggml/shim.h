// C functions that package ggml cannot write in Go.
#ifndef MODELGATEWAY_GGML_SHIM_H
#define MODELGATEWAY_GGML_SHIM_H

#include <ggml-backend.h>
#include <stdint.h>

// mg_ggml_log is a ggml_log_callback; data is a cgo handle of a Log.
void mg_ggml_log(enum ggml_log_level level, const char *text, void *data);

// mg_ggml_library returns the path of ggml's library in this process, or NULL if it is
// not known.
const char *mg_ggml_library(void);

#endif
