// SPDX-License-Identifier: GPL-2.0-or-later
/* Does the module do anything at all? */
#include "tap.h"

static void smoke(void)
{
	struct tlob_record r;
	int fd = rv_open();

	check(rv_start(fd, 10 * MS, fd, 1) == -ENODEV);
	tlob_set_enabled(true);
	check(rv_start(fd, 100 * MS, fd, 1) == 0);
	check(rv_stop(fd) == 0);
	check(rv_start(fd, 10 * MS, fd, 7) == 0);
	sleep_ns(30 * MS);
	check(rv_stop(fd) == -EOVERFLOW);
	check(read(fd, &r, sizeof(r)) == sizeof(r));
	check(sum_holds(&r) && r.tag == 7, "tag %llu", r.tag);
	printf("# running %llu waiting %llu sleeping %llu state %u comm %s\n", r.running_ns, r.waiting_ns,
	       r.sleeping_ns, r.state, r.comm);
	tlob_set_enabled(false);
	close(fd);
}

int main(void)
{
	static const struct tap_test tests[] = {{"smoke", smoke}};

	return tap_run(tests, 1);
}
