/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the cases share, see truth.h. */
#include "truth.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

TLOB_REGION(late, "late", TLOB_MS(10));
TLOB_REGION(quick, "quick", TLOB_MS(1));
struct tlob_region *const truth_late = &late, *const truth_quick = &quick;
sem_t truth_ready, truth_go;

struct start {
	const char *name;
	int cpu;
	void *(*fn)(void *);
};

void truth_join(struct tlob_region *region)
{
	(void)tlob_stop(tlob_start(region, 0));
}

static void *start_thread(void *arg)
{
	struct start s = *(struct start *)arg;

	free(arg);
	prctl(PR_SET_NAME, s.name);
	if (s.cpu >= 0)
		pin_to(s.cpu);
	return s.fn(NULL);
}

pthread_t truth_thread(const char *name, int cpu, void *(*fn)(void *))
{
	struct start *s = malloc(sizeof(*s));
	pthread_t thread;

	if (!s)
		exit(96);
	*s = (struct start){name, cpu, fn};
	if (pthread_create(&thread, NULL, start_thread, s))
		exit(96);
	sem_wait(&truth_ready);
	sleep_ns(2 * MS); /* until it sleeps */
	return thread;
}

void truth_wait_go(void)
{
	sem_post(&truth_ready);
	sem_wait(&truth_go);
}

void truth_release(int threads)
{
	while (threads--)
		sem_post(&truth_go);
}

void truth_nice(int nice)
{
	setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), nice);
}

void truth_fifo(int priority)
{
	struct sched_param p = {.sched_priority = priority};

	if (sched_setscheduler(0, SCHED_FIFO, &p)) {
		fprintf(stderr, "# no real-time priority %d: %s\n", priority, strerror(errno));
		exit(77);
	}
}

void *truth_fifo_hog(void *arg)
{
	truth_fifo(30);
	truth_wait_go();
	spin_ns(TROUBLE);
	return NULL;
}

void truth_burn(uint64_t ns)
{
	struct timespec t;
	uint64_t end, now = 0;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	end = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec + ns;
	while (now < end) {
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
		now = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
	}
}

int truth_cold_file(size_t bytes)
{
	char path[] = "/var/tmp/tlob-truth.XXXXXX", block[65536];
	int fd = mkstemp(path);

	if (fd < 0)
		return -1;
	unlink(path);
	memset(block, 'x', sizeof(block));
	for (size_t done = 0; done < bytes; done += sizeof(block))
		if (write(fd, block, sizeof(block)) != (ssize_t)sizeof(block))
			return -1;
	if (fsync(fd) || posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED))
		return -1;
	posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
	return fd;
}
