// The definition of mg_control, for shim.c and interpose.c.
#ifndef MODELGATEWAY_WHISPERCPP_CONTROL_H
#define MODELGATEWAY_WHISPERCPP_CONTROL_H

#include <stdatomic.h>

#include "shim.h"

struct mg_control {
	atomic_bool abort;
	atomic_ullong graphs;
	atomic_ullong nodes;
	atomic_ullong bytes;
};

// mg_control_enter makes c control and count the graphs that this thread computes,
// until mg_control_leave.
void mg_control_enter(mg_control *c);
void mg_control_leave(void);

#endif
