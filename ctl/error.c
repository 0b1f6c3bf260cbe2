// SPDX-License-Identifier: GPL-2.0-or-later
/* The text of the last failure, one per thread. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <tlob/ctl.h>

#include "error.h"

static __thread char text[2048];

int tlobctl_fail(int err, const char *fmt, ...)
{
	char fresh[sizeof(text)];
	va_list args;

	va_start(args, fmt);
	vsnprintf(fresh, sizeof(fresh), fmt, args);
	va_end(args);
	memcpy(text, fresh, strlen(fresh) + 1);
	errno = -err;
	return err;
}

const char *tlobctl_error(void)
{
	return text;
}
