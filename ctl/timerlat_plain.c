// SPDX-License-Identifier: GPL-2.0-or-later
/* Timer latency with nothing but a sleep and a look at the clock. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "error.h"
#include "now.h"
#include "timerlat.h"

static int plain_open(struct tlobctl_timerlat *t)
{
	(void)t;
	return 0;
}

static void plain_close(struct tlobctl_timerlat *t)
{
	(void)t;
}

static int plain_cycle(struct timerlat_lane *lane, struct timerlat_marks *marks)
{
	struct timespec until = {.tv_sec = (time_t)(lane->deadline_ns / TLOBCTL_NS_PER_S),
				 .tv_nsec = (long)(lane->deadline_ns % TLOBCTL_NS_PER_S)};
	int err = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);

	marks->user_ns = tlobctl_now_ns();
	if (err == EINTR)
		return 1;
	marks->deadline_ns = lane->deadline_ns;
	marks->split = false;
	return err ? tlobctl_fail(-err, "cannot sleep until a time: %s", strerror(err)) : 0;
}

const struct timerlat_backend timerlat_plain = {
	.name = "plain",
	.kind = TLOBCTL_TIMERLAT_PLAIN,
	.open = plain_open,
	.close = plain_close,
	.cycle = plain_cycle,
};
