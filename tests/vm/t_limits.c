// SPDX-License-Identifier: GPL-2.0-or-later
/* The module is loaded with max_tasks=8. */
#include <pthread.h>

#include "tap.h"

static int rv;
static pthread_barrier_t opened, done;

static void *hold(void *arg)
{
	*(int *)arg = rv_start(rv, 5000 * MS, -1, 0);
	pthread_barrier_wait(&opened);
	pthread_barrier_wait(&done);
	if (*(int *)arg == 0)
		check(rv_stop(rv) == 0);
	return NULL;
}

static void enospc(void) /* C12 */
{
	pthread_t threads[9];
	int results[9], full = 0;

	pthread_barrier_init(&opened, NULL, 10);
	pthread_barrier_init(&done, NULL, 10);
	for (int i = 0; i < 9; i++)
		pthread_create(&threads[i], NULL, hold, &results[i]);
	pthread_barrier_wait(&opened);
	for (int i = 0; i < 9; i++) {
		check(results[i] == 0 || results[i] == -ENOSPC, "%d", results[i]);
		full += results[i] == -ENOSPC;
	}
	check(full == 1 && rv_tasks() == 8, "%d refused, %u tasks", full, rv_tasks());
	pthread_barrier_wait(&done);
	for (int i = 0; i < 9; i++)
		pthread_join(threads[i], NULL);
	check(rv_tasks_become(0), "%u", rv_tasks());
}

static void stop_all_cleanup(void)
{
	check(rv_start(rv, 10000 * MS, -1, 0) == 0);
	tlob_set_enabled(false);
	check(rv_stop(rv) == -ECANCELED);
	tlob_set_enabled(true);
	tlob_set_enabled(false);
	check(rv_tasks() == 0, "%u", rv_tasks());
	tlob_set_enabled(true);
}

int main(void)
{
	static const struct tap_test tests[] = {
		{"enospc", enospc}, {"stop_all_cleanup (reinit_clears_all)", stop_all_cleanup}};

	rv = rv_open();
	tlob_set_enabled(true);
	return tap_run(tests, 2);
}
