// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A million events on each CPU, with the scheduler's among them, through mapped rings whose readers are killed at random
 * moments: what was read and what was lost is what was written, and nobody reads anything twice or out of order.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "pagering.h"

#define MAX_CPUS 2

/* Shared with the readers that come one after the other, and outlives them. */
struct tally {
	_Atomic uint64_t marks, others; /* read */
	_Atomic uint64_t last; /* number of the last mark read, from 1 on */
	_Atomic uint64_t last_time;
	_Atomic uint64_t bad; /* read twice, or out of order */
	_Atomic bool done; /* nothing more will be written */
	_Atomic uint32_t rounds; /* readers that got as far as reading */
};

static struct tally *tallies;
static const char *mode;
static unsigned long events; /* of each CPU */

static void tally_event(struct tally *t, const struct tlob_page_event *e)
{
	if (e->time_ns < t->last_time)
		t->bad++;
	t->last_time = e->time_ns;
	if (e->type == TLOB_PAGE_MARK) {
		uint64_t number = strtoul((const char *)(e + 1), NULL, 10);

		if (number <= t->last)
			t->bad++;
		t->last = number;
		t->marks++;
	} else {
		t->others++;
	}
}

/* Until it is killed, or until nothing comes any more. */
static void reader_main(int cpu)
{
	struct tally *t = &tallies[cpu];
	struct pagering r = {.cpu = cpu};
	bool first = true;

	r.fd = open(pagering_path(cpu, "raw"), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (r.fd < 0 || !pagering_map(&r))
		_exit(1);
	for (;;) {
		const struct tlob_page_event *e;
		bool done = t->done;
		uint32_t at;

		if (pagering_get(&r) == 0) {
			if (done)
				_exit(0);
			usleep(1000);
			continue;
		}
		if (first)
			t->rounds++;
		first = false;
		pagering_for_each(&r, e, at) tally_event(t, e);
	}
}

static pid_t start_reader(int cpu)
{
	pid_t pid = fork();

	if (pid == 0)
		reader_main(cpu);
	return pid;
}

static void *write_many(void *arg)
{
	int cpu = (int)(intptr_t)arg, fd = mark_open();
	unsigned long refused = 0;

	pin(cpu);
	for (unsigned long i = 1; i <= events; i++)
		refused += mark_number(fd, i) != 0;
	close(fd);
	return (void *)refused;
}

/* Returns how many were killed. */
static unsigned int kill_and_start(pid_t *readers, int cpus, _Atomic int *writing)
{
	unsigned int killed = 0;

	srand(1);
	while (*writing > 0) {
		sleep_ns((uint64_t)(rand() % 60) * MS + MS);
		for (int cpu = 0; cpu < cpus; cpu++) {
			if (rand() % 2)
				continue;
			kill(readers[cpu], SIGKILL);
			waitpid(readers[cpu], NULL, 0);
			readers[cpu] = start_reader(cpu);
			killed++;
		}
	}
	return killed;
}

static _Atomic int writing;

static void *count_down(void *arg)
{
	void *refused = write_many(arg);

	writing--;
	return refused;
}

static void check_cpu(struct pagering *r, unsigned long refused, unsigned int killed)
{
	const struct tally *t = &tallies[r->cpu];
	uint64_t seen = t->marks + t->others;

	check(ioctl(r->fd, TLOB_RING_UPDATE_META) == 0, " ");
	printf("# cpu%d %s: written %llu = read %llu + overrun %llu + left %llu; lost %llu (%lu marks); tallied %llu by %u readers\n",
	       r->cpu, mode, r->meta->written, r->meta->read, r->meta->overrun, r->meta->entries,
	       r->meta->lost, refused, (unsigned long long)seen, t->rounds);
	check(r->meta->entries == 0, " ");
	check(r->meta->read + r->meta->overrun == r->meta->written, " ");
	check(r->meta->written + r->meta->lost >= events, " ");
	check(r->meta->lost >= refused, " ");
	check(t->bad == 0, "%llu read twice or out of order", (unsigned long long)t->bad);
	/* what a killed reader had been handed and did not come to is at most a page each time */
	check(seen <= r->meta->read, " ");
	check(r->meta->read - seen <= (uint64_t)killed * (PAGE / 24), "%llu", r->meta->read - seen);
	check(t->marks > events / 100 && t->rounds > 3, " ");
}

static void killed_readers(const char *config, const char *what, unsigned long count)
{
	int cpus = sysconf(_SC_NPROCESSORS_ONLN) < MAX_CPUS ? 1 : MAX_CPUS;
	struct pagering r[MAX_CPUS];
	pthread_t writers[MAX_CPUS];
	pid_t readers[MAX_CPUS];
	unsigned int killed;

	mode = what;
	events = count;
	tallies = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (int cpu = 0; cpu < cpus; cpu++)
		r[cpu] = pagering_open(cpu, config, "mark switch wake");
	for (int cpu = 0; cpu < cpus; cpu++) {
		check(pagering_map(&r[cpu]), " ");
		readers[cpu] = start_reader(cpu);
	}
	writing = cpus;
	for (int cpu = 0; cpu < cpus; cpu++)
		pthread_create(&writers[cpu], NULL, count_down, (void *)(intptr_t)cpu);
	killed = kill_and_start(readers, cpus, &writing);
	for (int cpu = 0; cpu < cpus; cpu++) {
		void *refused;

		pthread_join(writers[cpu], &refused);
		check(write_file(PAGE_RING_DIR "events", "record") == 0, " ");
		tallies[cpu].done = true;
		waitpid(readers[cpu], NULL, 0);
		check_cpu(&r[cpu], (unsigned long)refused, killed);
		pagering_unmap(&r[cpu]);
		close(r[cpu].fd);
	}
	munmap(tallies, PAGE);
}

static void million_events_overwriting(void)
{
	killed_readers("pages=64 order=0 mode=overwrite", "overwriting", 1000000);
}

static void dropping_the_new(void)
{
	killed_readers("pages=8 order=0 mode=drop", "dropping", 200000);
}

int main(void)
{
	static const struct tap_test tests[] = {
		T(million_events_overwriting),
		T(dropping_the_new),
	};

	return tap_run(tests, sizeof(tests) / sizeof(tests[0]));
}
