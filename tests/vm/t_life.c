// SPDX-License-Identifier: GPL-2.0-or-later
/* Threads and programs that end, fork or become another in the middle of a window. Nothing may be reported falsely, nothing be left. */
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#include "tap.h"

static int rv, monitor;

static int in_child(int (*run)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(run());
	check(waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int open_and_exit(void)
{
	return rv_start(rv, 300 * MS, monitor, 0) != 0;
}

static void exit_in_a_window(void)
{
	check(in_child(open_and_exit) == 0);
	sleep_ns(350 * MS);
	check(rv_empty(monitor), "a thread that is gone is not late");
	check(rv_tasks_become(0), "%u", rv_tasks());
}

static int expire_and_exit(void)
{
	if (rv_start_closing(rv, 2 * MS, monitor, 3) != 0)
		return 1;
	sleep_ns(20 * MS);
	return 0;
}

static void exit_after_expiry(void)
{
	struct tlob_record overrun, closing;

	check(in_child(expire_and_exit) == 0);
	check(rv_read(monitor, &overrun) && overrun.type == TLOB_REC_OVERRUN);
	check(rv_read(monitor, &closing) && closing.type == TLOB_REC_CLOSE &&
	      (closing.flags & TLOB_F_ABANDONED));
	check(closing.window == overrun.window && closing.tid == overrun.tid &&
	      sum_holds(&closing));
	check(rv_empty(monitor));
}

static int open_and_be_killed(void)
{
	if (rv_start(rv, 300 * MS, monitor, 0) != 0)
		return 1;
	raise(SIGKILL);
	return 2;
}

static void killed_in_a_window(void)
{
	check(in_child(open_and_be_killed) == 128 + SIGKILL);
	sleep_ns(350 * MS);
	check(rv_empty(monitor));
	check(rv_tasks_become(0), "%u", rv_tasks());
}

static int open_and_exec(void)
{
	char fd[16];
	int plain = dup(rv); /* without close-on-exec */

	snprintf(fd, sizeof(fd), "%d", plain);
	if (rv_start(rv, 300 * MS, monitor, 0) != 0)
		return 1;
	execl("/proc/self/exe", "t_life", "--stop", fd, (char *)NULL);
	return 2;
}

static void exec_in_a_window(void)
{
	/* the other program finds no window on the descriptor it inherited */
	check(in_child(open_and_exec) == ESRCH);
	sleep_ns(350 * MS);
	check(rv_empty(monitor));
	check(rv_tasks_become(0), "%u", rv_tasks());
}

static int stop_in_child(void)
{
	return -rv_stop(rv);
}

static int start_in_child(void)
{
	return rv_start(rv, 10000 * MS, -1, 0) || rv_stop(rv);
}

static void fork_in_a_window(void)
{
	check(rv_start(rv, 10000 * MS, -1, 0) == 0);
	check(in_child(stop_in_child) == ESRCH, "a child starts with no window");
	check(in_child(start_in_child) == 0, "and may open its own");
	check(rv_stop(rv) == 0);
}

static void *open_window(void *arg)
{
	(void)arg;
	check(rv_start(rv, 300 * MS, monitor, 0) == 0);
	return NULL;
}

static void thread_exit_in_a_window(void)
{
	pthread_t thread;

	for (int i = 0; i < 50; i++) {
		pthread_create(&thread, NULL, open_window, NULL);
		pthread_join(thread, NULL);
	}
	sleep_ns(350 * MS);
	check(rv_empty(monitor));
}

/* Task structs are reused: no stale ticket may alias a new thread. */
static void no_stale_ticket(void) /* W2 */
{
	for (int i = 0; i < 200; i++) {
		check(in_child(open_and_exit) == 0);
		check(in_child(stop_in_child) == ESRCH);
	}
	sleep_ns(350 * MS);
	check(rv_empty(monitor));
}

static pthread_barrier_t opened, ended;

static void *sleep_in_window(void *arg)
{
	int ret = rv_start(rv, 10000 * MS, -1, 0);

	pthread_barrier_wait(&opened);
	pthread_barrier_wait(&ended);
	*(int *)arg = ret ? ret : rv_stop(rv);
	return NULL;
}

static void disable_under_threads(void)
{
	pthread_t threads[40]; /* W1: more than 32 windows on one descriptor */
	int results[40];

	for (int i = 0; i < 40; i++)
		pthread_create(&threads[i], NULL, sleep_in_window, &results[i]);
	pthread_barrier_wait(&opened);
	tlob_set_enabled(false);
	pthread_barrier_wait(&ended);
	for (int i = 0; i < 40; i++) {
		pthread_join(threads[i], NULL);
		check(results[i] == -ECANCELED, "%d", results[i]);
	}
	tlob_set_enabled(true);
}

static int closing_fd;

static void *window_on_closing_fd(void *arg)
{
	*(int *)arg = rv_start(closing_fd, 1000 * MS, monitor, 0);
	pthread_barrier_wait(&opened);
	pthread_barrier_wait(&ended);
	return NULL;
}

static void close_under_threads(void) /* W1 */
{
	pthread_t threads[40];
	int results[40];

	closing_fd = rv_open();
	for (int i = 0; i < 40; i++)
		pthread_create(&threads[i], NULL, window_on_closing_fd, &results[i]);
	pthread_barrier_wait(&opened);
	close(closing_fd);
	sleep_ns(1100 * MS);
	pthread_barrier_wait(&ended);
	for (int i = 0; i < 40; i++) {
		pthread_join(threads[i], NULL);
		check(results[i] == 0, "%d", results[i]);
	}
	check(rv_empty(monitor));
}

/* The tid in a record is that of whoever opened the ring, in whatever context the expiry ran. */
static void *expire(void *arg)
{
	(void)arg;
	check(rv_start(rv, 2 * MS, monitor, 4) == 0);
	sleep_ns(20 * MS);
	check(rv_stop(rv) == -EOVERFLOW);
	return (void *)(long)gettid();
}

static void tid_of_the_reader(void) /* F11 */
{
	struct tlob_record r;
	pthread_t thread;
	void *tid;

	pthread_create(&thread, NULL, expire, NULL);
	pthread_join(thread, &tid);
	check(rv_read(monitor, &r) && (long)tid == r.tid && r.tgid == (unsigned int)getpid());
}

int main(int argc, char **argv)
{
	static const struct tap_test tests[] = {
		T(exit_in_a_window),  T(exit_after_expiry),	T(killed_in_a_window),
		T(exec_in_a_window),  T(fork_in_a_window),	T(thread_exit_in_a_window),
		T(no_stale_ticket),   T(disable_under_threads), T(close_under_threads),
		T(tid_of_the_reader),
	};

	if (argc == 3 && strcmp(argv[1], "--stop") == 0)
		return -rv_stop(atoi(argv[2]));
	pthread_barrier_init(&opened, NULL, 41);
	pthread_barrier_init(&ended, NULL, 41);
	rv = rv_open();
	monitor = rv_open();
	tlob_set_enabled(true);
	return tap_run(tests, sizeof(tests) / sizeof(tests[0]));
}
