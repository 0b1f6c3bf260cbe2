// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * timerlat_fd with everything at once: holders that open, read, hand on, move and close, in processes that disabling kills, while it
 * is switched on and off, set and read, the CPU goes and comes, and the module is unloaded whenever it lets itself be. What counts is
 * the kernel log, and that all is usable and gone at the end.
 */
#include <sys/prctl.h>

#include "timerlat.h"

#define SECONDS 5 /* at least; until all of it has taken place, but not for ever */
#define MOST_SECONDS 40
#define WORKERS 3
#define FDS 4
#define ONLINE "/sys/devices/system/cpu/cpu1/online"

static volatile bool over;
static volatile int fds[FDS]; /* of one worker process, shared by its threads */

static struct {
	volatile bool pause; /* workers end, so that the module can go */
	unsigned long opened, read, killed, unloaded, offline, migrated;
} * counts;

static void count(unsigned long *n)
{
	__atomic_fetch_add(n, 1, __ATOMIC_RELAXED);
}

static unsigned int pick(unsigned int *seed, unsigned int n)
{
	return (unsigned int)rand_r(seed) % n;
}

/* ---- workers ---- */

static void use(unsigned int *seed, int fd)
{
	struct tlob_timerlat_sample s;

	if (fd < 0)
		return;
	for (unsigned int i = pick(seed, 12); i > 0; i--) {
		int ret = timerlat_read(fd);

		if (ret == -EINTR)
			continue;
		if (ret)
			break;
		count(&counts->read);
		if (pick(seed, 2))
			timerlat_sample(fd, &s);
	}
	if (timerlat_read(fd) == -EINVAL)
		count(&counts->migrated);
}

static void *worker_thread(void *arg)
{
	unsigned int seed = (unsigned int)(long)arg;

	for (;;) {
		int cpu = (int)pick(&seed, 2), slot = (int)pick(&seed, FDS), fd;

		pin_thread(0, cpu);
		fd = timerlat_open(pick(&seed, 8) ? cpu : !cpu);
		if (fd < 0) {
			use(&seed, fds[slot]); /* somebody else's, or one that moved */
			if (pick(&seed, 2))
				close(__atomic_exchange_n(&fds[slot], -1, __ATOMIC_RELAXED));
			sleep_ns(MS);
			continue;
		}
		count(&counts->opened);
		if (pick(&seed, 4))
			use(&seed, fd);
		if (pick(&seed, 2)) {
			pin_thread(0, pick(&seed, 4) ? !cpu : ALL_CPUS);
			use(&seed, fd);
		}
		if (pick(&seed, 10) == 0)
			fd = __atomic_exchange_n(&fds[slot], fd, __ATOMIC_RELAXED);
		if (fd >= 0)
			close(fd);
		if (pick(&seed, 200) == 0)
			break;
	}
	return NULL; /* may leave one open */
}

static void nothing(int sig)
{
	(void)sig;
}

static void worker(unsigned int seed)
{
	struct sigaction act = {.sa_handler = nothing};
	pthread_t threads[3];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigaction(SIGUSR1, &act, NULL); /* no SA_RESTART */
	for (int i = 0; i < FDS; i++)
		fds[i] = -1;
	for (int i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, worker_thread, (void *)(long)(seed * 3 + i));
	for (int i = 0; i < 500 && !counts->pause; i++) {
		sleep_ns(MS);
		kill(getpid(), SIGUSR1);
	}
	_exit(0);
}

static pid_t start_worker(void)
{
	static unsigned int seed;
	pid_t pid;

	seed++;
	while (counts->pause)
		sleep_ns(MS);
	pid = fork();
	if (pid == 0)
		worker(seed);
	return pid;
}

/* ---- the world around them ---- */

static void *switch_on_and_off(void *arg)
{
	unsigned int seed = 1;

	(void)arg;
	while (!over) {
		timerlat_set("enable", "1");
		timerlat_set("timerlat_period_us", pick(&seed, 3) ? "100" : "3000");
		sleep_ns(pick(&seed, 300) * MS);
		timerlat_set("enable", "0");
		sleep_ns((20 + pick(&seed, 60)) * MS);
	}
	return NULL;
}

static void *look(void *arg)
{
	unsigned int seed = 2;

	(void)arg;
	while (!over) {
		struct pollfd p[2] = {{open(TIMERLAT_DIR "stopped", O_RDWR), POLLIN, 0},
				      {open(TIMERLAT_DIR "max_latency_ns", O_RDWR), POLLIN, 0}};

		timerlat_set("stop_tracing_us", pick(&seed, 2) ? "0" : "200");
		timerlat_set("stop_tracing_total_us", pick(&seed, 2) ? "0" : "500");
		poll(p, 2, (int)pick(&seed, 20));
		timerlat_get("stopped");
		timerlat_get("max_latency_ns");
		timerlat_set("stopped", "");
		timerlat_set("max_latency_ns", "0");
		write_file(TRACE_DIR "tracing_on", "1");
		close(p[0].fd);
		close(p[1].fd);
		sleep_ns(30 * MS);
	}
	return NULL;
}

static void *plug(void *arg)
{
	(void)arg;
	while (!over) {
		if (write_file(ONLINE, "0") == 0)
			count(&counts->offline);
		sleep_ns(30 * MS);
		write_file(ONLINE, "1");
		sleep_ns(600 * MS);
	}
	return NULL;
}

static void load(void)
{
	int fd = open("/tlob.ko", O_RDONLY | O_CLOEXEC);

	check(syscall(SYS_finit_module, fd, "", 0) == 0);
	close(fd);
}

static void *reload(void *arg)
{
	(void)arg;
	for (int i = 1; !over; i++) {
		counts->pause = i % 500 > 400;
		if (syscall(SYS_delete_module, "tlob", O_NONBLOCK) == 0) {
			count(&counts->unloaded);
			load();
			write_file(TRACE_DIR "events/rv_timerlat/enable", "1");
			i = 0;
		}
		sleep_ns(MS);
	}
	counts->pause = false;
	return NULL;
}

/* ---- */

static int use_it_alone(void *arg)
{
	int fd = timerlat_open_pinned(), ret = timerlat_read(fd);

	(void)arg;
	close(fd);
	return ret;
}

static bool all_took_place(void)
{
	return counts->opened && counts->read && counts->migrated && counts->killed &&
	       counts->unloaded && (counts->offline || access(ONLINE, W_OK) != 0);
}

static void everything_at_once(void)
{
	static void *(*const around[])(void *) = {switch_on_and_off, look, plug, reload};
	pthread_t threads[4];
	pid_t pids[WORKERS];
	uint64_t begin = now_ns(), seconds = 0;
	int status;

	timerlat_begin();
	fflush(stdout);
	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, around[i], NULL);
	for (int i = 0; i < WORKERS; i++)
		pids[i] = start_worker();
	while (seconds < SECONDS || (!all_took_place() && seconds < MOST_SECONDS)) {
		pid_t pid = wait(&status);

		if (WIFSIGNALED(status))
			count(&counts->killed);
		for (int i = 0; i < WORKERS; i++)
			if (pids[i] == pid)
				pids[i] = start_worker();
		seconds = (now_ns() - begin) / (1000 * MS);
	}
	over = true;
	for (int i = 0; i < WORKERS; i++)
		kill(pids[i], SIGKILL);
	for (int i = 0; i < WORKERS; i++)
		waitpid(pids[i], NULL, 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	printf("# %lu opens, %lu reads, %lu moved, %lu processes killed, %lu unloads, %lu times offline\n",
	       counts->opened, counts->read, counts->migrated, counts->killed, counts->unloaded,
	       counts->offline);
	check(all_took_place());
	timerlat_begin();
	check(in_thread(use_it_alone, NULL) == 0);
	check(timerlat_set("enable", "0") == 0);
}

int main(void)
{
	static const struct tap_test tests[] = {T(everything_at_once)};

	counts = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return tap_run(tests, 1);
}
