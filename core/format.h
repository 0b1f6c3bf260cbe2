/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Durations as text. Both return the length, NUL excluded; TLOB_DURATION_BYTES is always enough. */
#ifndef TLOB_CORE_FORMAT_H
#define TLOB_CORE_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#define TLOB_DURATION_BYTES 24

/* For people, three digits that count: "45ns", "812us", "1.23ms", "59.9s", "1.00m". */
size_t tlob_duration_print(char *buf, size_t size, uint64_t ns);

/* Exact, in the largest unit without decimals: "5ms", "1500us"; tlob_duration_parse() reads it. */
size_t tlob_duration_print_exact(char *buf, size_t size, uint64_t ns);

#endif
