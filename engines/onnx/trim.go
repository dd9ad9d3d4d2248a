package onnx

/*
#include <stdlib.h>
#ifdef __GLIBC__
#include <malloc.h>
static void mg_trim(void) { malloc_trim(0); }
#else
static void mg_trim(void) {}
#endif
*/
import "C"

// Trim returns the memory of ended runs to the system. Otherwise the C library keeps
// what lies between blocks that are in use, in pieces that are too small for a run of
// another length. A session with an arena does not need it. How many heaps the C library
// has, and how large a block must be to get its own memory, is in the environment of
// workers (server/internal/worker/environment.go).
func Trim() { C.mg_trim() }
