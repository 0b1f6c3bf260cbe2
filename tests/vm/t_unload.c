// SPDX-License-Identifier: GPL-2.0-or-later
/* The module goes while probes fire and windows of unmodified programs are open; with a descriptor open it stays. */
#include <pthread.h>

#include "uprobe.h"

static volatile bool over;
static unsigned long at_start, at_stop;

static void refused_with_a_descriptor(void)
{
	int fd = rv_open();

	check(rv_start(fd, 10000 * MS, -1, 0) == 0);
	check(module_unload() == -EAGAIN || module_unload() == -EBUSY, "%d", module_unload());
	check(rv_stop(fd) == 0);
	close(fd);
}

static void *hit(void *arg)
{
	while (!over) {
		mark_start();
		spin_ns((long)arg);
		mark_stop();
		mark_start(); /* stays open */
	}
	return NULL;
}

static void unload_while_probes_fire(void) /* W5 */
{
	pthread_t a, b;

	over = false;
	pthread_create(&a, NULL, hit, (void *)500);
	pthread_create(&b, NULL, hit, (void *)5000);
	for (int i = 0; i < 15; i++) {
		int ret;

		tlob_set_enabled(true);
		check(bind_ns(self(), at_start, at_stop, 2000) == 0);
		check(write_file("/sys/module/tlob/parameters/react_signal", "17") ==
		      0); /* SIGCHLD: ignored */
		check(write_file(TLOB_DIR "reactors", i % 2 ? "signal" : "nop") == 0);
		sleep_ns(20 * MS);
		ret = module_unload();
		check(ret == 0, "%d", ret);
		ret = module_load();
		check(ret == 0, "%d", ret);
	}
	over = true;
	pthread_join(a, NULL);
	pthread_join(b, NULL);
}

/* Bound while the monitor is disabled: nothing to disable, but there are probes. */
static void unload_with_a_binding_while_disabled(void)
{
	tlob_set_enabled(false);
	check(bind_ns(self(), at_start, at_stop, 2000) == 0);
	check(module_unload() == 0);
	mark_start();
	mark_stop();
	check(module_load() == 0);
}

int main(void)
{
	static const struct tap_test tests[] = {
		T(refused_with_a_descriptor),
		T(unload_while_probes_fire),
		T(unload_with_a_binding_while_disabled),
	};

	at_start = file_offset(mark_start);
	at_stop = file_offset(mark_stop);
	tlob_set_enabled(true);
	return tap_run(tests, sizeof(tests) / sizeof(tests[0]));
}
