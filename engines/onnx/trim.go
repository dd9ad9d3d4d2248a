package onnx

/*
#include <stdlib.h>
#ifdef __GLIBC__
#include <malloc.h>
static void mg_trim(void) { malloc_trim(0); }
static void mg_use_one_heap(void) { mallopt(M_ARENA_MAX, 1); }
#else
static void mg_trim(void) {}
static void mg_use_one_heap(void) {}
#endif
*/
import "C"

// Trim returns the memory of ended runs to the system. Otherwise the C library keeps it
// for the next run, in pieces that are too small for a run of another length, and the
// peak of many runs is one and a half times that of the largest. A session with an arena
// does not need it.
func Trim() { C.mg_trim() }

// useOneHeap makes all threads use one heap of the C library. Go calls C from changing
// threads, and each of their heaps would keep the memory of the largest run.
func useOneHeap() { C.mg_use_one_heap() }
