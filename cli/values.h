/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Values of options that several commands take. Each yields 0, or an exit status having said what is wrong. */
#ifndef TLOB_CLI_VALUES_H
#define TLOB_CLI_VALUES_H

#include <stddef.h>
#include <stdint.h>

/* A time that is not 0, such as "5ms", of --@option. */
int cli_value_duration(const char *option, const char *value, uint64_t *ns);
/* One of @names, which @what is a word for ("engine"). @index: which one. */
int cli_value_choice(const char *what, const char *value, const char *const *names, size_t nnames,
		     size_t *index);
/* A size in MiB. */
int cli_value_history(const char *value, uint64_t *bytes);

/* Nothing but decimal digits, from @least to @most: 0, or -1 and nothing is said. */
int cli_value_number(const char *value, unsigned long least, unsigned long most,
		     unsigned long *number);

#endif
