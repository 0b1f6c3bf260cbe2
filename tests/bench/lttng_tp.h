/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two tracepoints as a user would write them around a region. */
#undef LTTNG_UST_TRACEPOINT_PROVIDER
#define LTTNG_UST_TRACEPOINT_PROVIDER tlob_bench

#undef LTTNG_UST_TRACEPOINT_INCLUDE
#define LTTNG_UST_TRACEPOINT_INCLUDE "tests/bench/lttng_tp.h"

#if !defined(TLOB_BENCH_LTTNG_TP_H) || defined(LTTNG_UST_TRACEPOINT_HEADER_MULTI_READ)
#define TLOB_BENCH_LTTNG_TP_H

#include <lttng/tracepoint.h>

LTTNG_UST_TRACEPOINT_EVENT(tlob_bench, start, LTTNG_UST_TP_ARGS(uint64_t, tag, uint64_t, budget_ns),
			   LTTNG_UST_TP_FIELDS(lttng_ust_field_integer(uint64_t, tag, tag)
						       lttng_ust_field_integer(uint64_t, budget_ns,
									       budget_ns)))
LTTNG_UST_TRACEPOINT_EVENT(tlob_bench, stop, LTTNG_UST_TP_ARGS(uint64_t, tag, uint64_t, result),
			   LTTNG_UST_TP_FIELDS(lttng_ust_field_integer(uint64_t, tag, tag)
						       lttng_ust_field_integer(uint64_t, result,
									       result)))

#endif

#include <lttng/tracepoint-event.h>
