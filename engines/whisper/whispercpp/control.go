package whispercpp

// #include "shim.h"
import "C"

// control stops and observes the computations of a thread in C.
type control struct{ c *C.mg_control }

func newControl() control { return control{c: C.mg_control_new()} }

func (c control) free() { C.mg_control_free(c.c) }

// Abort makes the running computation and all later ones end after the current node of
// their graph. It is safe for concurrent use.
func (c control) Abort() { C.mg_control_set_abort(c.c, true) }

func (c control) aborted() bool { return bool(C.mg_control_aborted(c.c)) }

// Graphs returns the number of completed graphs: three for each encoded window of 30 s,
// and one for each step of the decoder.
func (c control) Graphs() uint64 { return uint64(C.mg_control_graphs(c.c)) }

// Nodes returns the number of computed nodes. It grows while a graph is computed.
func (c control) Nodes() uint64 { return uint64(C.mg_control_nodes(c.c)) }
