// SPDX-License-Identifier: GPL-2.0-or-later
/* The example that people read is the one that is run. */
#define main example
#include "../../examples/rv_ioctl.c"
#undef main

#include "tap.h"

static void rv_ioctl(void)
{
	check(example() == 0);
}

static void without_privilege(void)
{
	if (setgid(65534) == 0 && setuid(65534) == 0)
		check(example() == 0);
}

int main(void)
{
	static const struct tap_test tests[] = {{"rv_ioctl", rv_ioctl},
						{"without_privilege", without_privilege}};

	tlob_set_enabled(true);
	return tap_run(tests, 2);
}
