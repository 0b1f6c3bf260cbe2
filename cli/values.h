/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Values of options. Each yields 0, or an exit status having said what is wrong. */
#ifndef TLOB_CLI_VALUES_H
#define TLOB_CLI_VALUES_H

#include <stddef.h>
#include <stdint.h>

/* One of them is 0, or both: as usual. */
struct cli_history {
	uint64_t bytes; /* given in MiB */
	uint64_t ns; /* given with a unit of time */
};

/* One of @names, which @what is a word for ("engine"). @index: which one. */
int cli_value_choice(const char *what, const char *value, const char *const *names, size_t nnames,
		     size_t *index);
/* Nothing but decimal digits, from @least to @most: 0, or -1 and nothing is said. */
int cli_value_number(const char *value, unsigned long least, unsigned long most,
		     unsigned long *number);

/* For rows of options (options.h): put the value of --@option in its place. */
int cli_put_flag(const char *option, const char *value, void *place); /* bool: true */
int cli_put_text(const char *option, const char *value, void *place); /* const char *: as it is */
/* uint64_t, ns: a time that is not 0, such as "5ms". */
int cli_put_duration(const char *option, const char *value, void *place);
int cli_put_pid(const char *option, const char *value, void *place); /* pid_t */
int cli_put_history(const char *option, const char *value, void *place); /* struct cli_history */
int cli_put_color(const char *option, const char *value, void *place); /* enum cli_color */

#endif
