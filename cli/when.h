/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CLOCK_MONOTONIC, as records carry it, and the same instant for people. */
#ifndef TLOB_CLI_WHEN_H
#define TLOB_CLI_WHEN_H

#include <stddef.h>
#include <stdint.h>

#define CLI_NS_PER_S 1000000000ULL
#define CLI_TIME_BYTES 24

uint64_t cli_now_ns(void);
/* Nanoseconds since 1970 of a monotonic instant, by the offset between the two clocks now. */
uint64_t cli_unix_ns(uint64_t monotonic_ns);
/* "14:03:07.123", local time. Returns @buf. */
char *cli_time_of_day(char buf[CLI_TIME_BYTES], uint64_t monotonic_ns);
/* The same of ns since 1970. */
char *cli_time_of_day_unix(char buf[CLI_TIME_BYTES], uint64_t unix_ns);

#endif
