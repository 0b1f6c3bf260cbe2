// SPDX-License-Identifier: GPL-2.0-or-later
/* See quota.h. */
#include "quota.h"

bool cli_quota_take(struct cli_quota *quota, uint32_t process)
{
	size_t i = 0;

	while (i < quota->nplaces && quota->places[i].process != process)
		i++;
	if (i == CLI_QUOTA_PROCESSES + 1)
		i = CLI_QUOTA_PROCESSES;
	else if (i == quota->nplaces)
		quota->places[quota->nplaces++].process = process;
	if (quota->places[i].used >= CLI_QUOTA_EACH ||
	    (quota->places[i].used && quota->used >= CLI_QUOTA_ALL))
		return false;
	quota->places[i].used++;
	quota->used++;
	return true;
}
