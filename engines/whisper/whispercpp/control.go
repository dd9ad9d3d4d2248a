package whispercpp

// #include "shim.h"
import "C"

// control stops and watches what a thread computes in C.
type control struct{ c *C.mg_control }

func newControl() control { return control{c: C.mg_control_new()} }

func (c control) free() { C.mg_control_free(c.c) }

// Abort makes the computation under way, and all that come, end within a node of
// their graph. It may be called from any goroutine.
func (c control) Abort() { C.mg_control_set_abort(c.c, true) }

func (c control) aborted() bool { return bool(C.mg_control_aborted(c.c)) }

// Computed returns the graphs that were computed to their end: three for each
// 30 s window that was encoded, one for each step of the decoder.
func (c control) Computed() uint64 { return uint64(C.mg_control_graphs(c.c)) }

// Beats returns a number that grows while a graph is computed.
func (c control) Beats() uint64 { return uint64(C.mg_control_nodes(c.c)) }
