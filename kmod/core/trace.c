// SPDX-License-Identifier: GPL-2.0
/* The tracepoints of trace.h are here; ports use them too. */
#define CREATE_TRACE_POINTS
#include "core/trace.h"
