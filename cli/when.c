// SPDX-License-Identifier: GPL-2.0-or-later
/* See when.h. */
#include <stdio.h>
#include <time.h>

#include "when.h"

static uint64_t read_clock(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * CLI_NS_PER_S + (uint64_t)t.tv_nsec;
}

uint64_t cli_now_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

uint64_t cli_unix_ns(uint64_t monotonic_ns)
{
	return monotonic_ns + (read_clock(CLOCK_REALTIME) - read_clock(CLOCK_MONOTONIC));
}

char *cli_time_of_day(char buf[CLI_TIME_BYTES], uint64_t monotonic_ns)
{
	return cli_time_of_day_unix(buf, cli_unix_ns(monotonic_ns));
}

char *cli_time_of_day_unix(char buf[CLI_TIME_BYTES], uint64_t unix_ns)
{
	time_t seconds = (time_t)(unix_ns / CLI_NS_PER_S);
	struct tm local;

	localtime_r(&seconds, &local);
	snprintf(buf, CLI_TIME_BYTES, "%02d:%02d:%02d.%03u", local.tm_hour, local.tm_min,
		 local.tm_sec, (unsigned int)(unix_ns % CLI_NS_PER_S / 1000000));
	return buf;
}
