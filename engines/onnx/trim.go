package onnx

/*
#include <stdlib.h>
#ifdef __GLIBC__
#include <malloc.h>
static void mg_trim(void) { malloc_trim(0); }
static void mg_one_heap(void) { mallopt(M_ARENA_MAX, 1); }
#else
static void mg_trim(void) {}
static void mg_one_heap(void) {}
#endif
*/
import "C"

// Trim gives the memory of ended runs back to the system. The C library keeps it
// for the next one, in pieces that a run of another length does not fit into, so
// that the peak of many runs is half as high again as that of the largest. A session
// with an arena has no need of it.
func Trim() { C.mg_trim() }

// oneHeap keeps the C library from giving threads heaps of their own: Go calls
// from ever other threads, and what the largest run needed would be kept in each.
func oneHeap() { C.mg_one_heap() }
