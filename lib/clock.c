// SPDX-License-Identifier: LGPL-2.1-or-later
/* tlob_thread_clock(): where the calling thread's time has gone. */
#include <errno.h>

#include <tlob/tlob.h>

#include "baseline.h"
#include "calm.h"
#include "engine.h"
#include "now.h"
#include "process.h"
#include "ownclock.h"
#include "thread.h"

static int no_data(void)
{
	errno = ENODATA;
	return -ENODATA;
}

static void put(struct tlob_times *times, const struct tlob_split *split, __u32 flags)
{
	times->running_ns = split->running_ns;
	times->waiting_ns = split->waiting_ns;
	times->sleeping_ns = split->sleeping_ns;
	times->switches = split->switches;
	times->flags = flags;
}

/* No seat yet, or an engine that keeps no clock. */
static __attribute__((noinline)) int read_slowly(struct tlob_times *times)
{
	struct tlob_home *home;
	struct tlob_seat *seat;
	struct tlob_split split;
	__u32 flags = 0;
	int r = -ENODATA;

	{
		TLOB_CALM;

		home = tlob_load(&tlob_switched_off) ? NULL : tlob_process_home();
		seat = home ? tlob_thread_sit(home) : NULL;
		if (seat && seat->clocked) {
			tlob_own_clock(seat->slot, &split);
			r = 0;
		} else if (seat) {
			flags = tlob_baseline_clock(seat, &split);
			r = 0;
		}
	}
	if (r)
		return no_data();
	put(times, &split, flags);
	return 0;
}

int tlob_thread_clock(struct tlob_times *times)
{
	struct tlob_seat *seat = tlob_seat;
	struct tlob_split split;

	if (tlob_unlikely(seat->epoch != tlob_load(&tlob_live->epoch) || !seat->clocked))
		return read_slowly(times);
	tlob_own_clock(seat->slot, &split);
	put(times, &split, 0);
	return 0;
}
