// SPDX-License-Identifier: GPL-2.0-or-later
/* See values.h. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "cli.h"
#include "nearest.h"
#include "parse.h"
#include "terminal.h"
#include "values.h"

#define HISTORY_MAX_MIB 4096
#define HISTORY_MAX_NS 256000000000ULL
#define CHOICES_BYTES 128 /* room for all names of one option in a sentence */

int cli_value_choice(const char *what, const char *value, const char *const *names, size_t nnames,
		     size_t *index)
{
	char list[CHOICES_BYTES] = "";
	struct cli_nearest near;

	cli_nearest_init(&near, value);
	for (size_t i = 0; i < nnames; i++) {
		size_t n = strlen(list);

		if (!strcmp(names[i], value)) {
			*index = i;
			return 0;
		}
		cli_nearest_offer(&near, names[i]);
		snprintf(list + n, sizeof(list) - n, "%s%s",
			 !i		 ? "" :
			 i + 1 == nnames ? " and " :
					   ", ",
			 names[i]);
	}
	if (near.word)
		return cli_usage("unknown %s '%s'; did you mean %s?", what, value, near.word);
	return cli_usage("unknown %s '%s'; there are %s", what, value, list);
}

int cli_value_number(const char *value, unsigned long least, unsigned long most,
		     unsigned long *number)
{
	unsigned long n;
	char *end;

	errno = 0;
	n = strtoul(value, &end, 10);
	if (errno || *end || *value < '0' || *value > '9' || n < least || n > most)
		return -1;
	*number = n;
	return 0;
}

int cli_put_flag(const char *option, const char *value, void *place)
{
	(void)option, (void)value;
	*(bool *)place = true;
	return 0;
}

int cli_put_text(const char *option, const char *value, void *place)
{
	(void)option;
	*(const char **)place = value;
	return 0;
}

int cli_put_duration(const char *option, const char *value, void *place)
{
	struct tlob_parse_error err;
	uint64_t ns;

	if (tlob_duration_parse(value, &ns, &err))
		return cli_usage("--%s '%s': %s", option, value, err.why);
	if (!ns)
		return cli_usage("--%s '%s' is no time at all", option, value);
	*(uint64_t *)place = ns;
	return 0;
}

int cli_put_pid(const char *option, const char *value, void *place)
{
	unsigned long pid;

	if (cli_value_number(value, 1, INT_MAX, &pid))
		return cli_usage("--%s is the number of a process, not '%s'", option, value);
	*(pid_t *)place = (pid_t)pid;
	return 0;
}

int cli_put_history(const char *option, const char *value, void *place)
{
	struct cli_history *history = place;
	struct tlob_parse_error err;
	unsigned long mib;
	uint64_t ns;

	*history = (struct cli_history){0};
	if (!cli_value_number(value, 1, HISTORY_MAX_MIB, &mib))
		history->bytes = (uint64_t)mib << 20;
	else if (!tlob_duration_parse(value, &ns, &err) && ns && ns <= HISTORY_MAX_NS)
		history->ns = ns;
	else
		return cli_usage(
			"--%s is a size in MiB, from 1 to %d, or a time up to 256s, not '%s'",
			option, HISTORY_MAX_MIB, value);
	return 0;
}

int cli_put_color(const char *option, const char *value, void *place)
{
	static const char *const words[] = {
		[CLI_COLOR_AUTO] = "auto", [CLI_COLOR_ALWAYS] = "always", [CLI_COLOR_NEVER] = "never"};

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (!strcmp(value, words[i])) {
			*(enum cli_color *)place = (enum cli_color)i;
			return 0;
		}
	}
	return cli_usage("--%s is auto, always or never, not '%s'", option, value);
}
