// SPDX-License-Identifier: GPL-2.0-or-later
/* Mapped thread slots: windows without a system call, the kernel's clocks, and programs that write nonsense. */
#include <pthread.h>
#include <sched.h>
#include <sys/wait.h>

#include "arena.h"

struct place {
	int fd;
	union tlob_arena_entry *arena;
};

static struct place place_open(void)
{
	struct place p = {.fd = rv_open()};

	p.arena = arena_map(p.fd);
	check(p.arena != NULL, "arena");
	if (!p.arena)
		exit(1);
	return p;
}

static void place_close(struct place *p)
{
	munmap(p->arena, TLOB_ARENA_BYTES);
	close(p->fd);
}

static struct place seated(uint32_t slot)
{
	struct place p = place_open();

	check(arena_kick(p.fd, TLOB_KICK_REGISTER, slot, 0, 0) == 0);
	return p;
}

static void layout(void)
{
	struct place p = place_open();

	check(p.arena[0].head.magic == TLOB_ABI_MAGIC &&
	      p.arena[0].head.version == TLOB_ABI_VERSION);
	check(p.arena[0].head.next_wake_ns == TLOB_NEVER && p.arena[0].head.closed == 0);
	check(mmap(NULL, TLOB_ARENA_BYTES + 4096, PROT_READ, MAP_SHARED, p.fd,
		   TLOB_ARENA_MMAP_OFFSET) == MAP_FAILED);
	check(mmap(NULL, TLOB_ARENA_BYTES, PROT_READ, MAP_PRIVATE, p.fd, TLOB_ARENA_MMAP_OFFSET) ==
	      MAP_FAILED);
	place_close(&p);
}

static void kick_errors(void)
{
	int bare = rv_open();
	struct place p = place_open();

	check(arena_kick(bare, TLOB_KICK_REGISTER, 1, 0, 0) == -EINVAL, "no arena");
	check(arena_kick(p.fd, TLOB_KICK_ARM, 0, 0, 1) == -ESRCH, "no seat");
	check(arena_kick(p.fd, TLOB_KICK_REGISTER, 0, 0, 0) == -EINVAL, "the head is no slot");
	check(arena_kick(p.fd, TLOB_KICK_REGISTER, TLOB_ARENA_SLOTS, 0, 0) == -EINVAL);
	check(arena_kick(p.fd, TLOB_KICK_REGISTER, 0xffffffff, 0, 0) == -EINVAL);
	check(ioctl(p.fd, TLOB_IOCTL_KICK, (void *)8) == -1 && errno == EFAULT);
	check(arena_kick(p.fd, TLOB_KICK_REGISTER, 5, 0, 0) == 0);
	check(arena_kick(p.fd, TLOB_KICK_REGISTER, 6, 0, 0) == 0, "moves");
	check(arena_kick(p.fd, TLOB_KICK_CLOSE, 0, TLOB_MAX_DEPTH, 0) == -EINVAL);
	check(arena_kick(p.fd, 99, 0, 0, 0) == -EINVAL);
	check(arena_kick(p.fd, TLOB_KICK_UNREGISTER, 0, 0, 0) == 0);
	check(arena_kick(p.fd, TLOB_KICK_UNREGISTER, 0, 0, 0) == -ESRCH);
	place_close(&p);
	close(bare);
}

static void several_arenas(void)
{
	struct place p = seated(1);
	struct tlob_kick kick = {.op = TLOB_KICK_REGISTER, .arena = 63, .slot = 9};
	union tlob_arena_entry *last;
	struct tlob_record r;
	uint64_t gen;

	check(ioctl(p.fd, TLOB_IOCTL_KICK, &kick) == -1 && errno == EINVAL, "not mapped yet");
	check(mmap(NULL, TLOB_ARENA_BYTES, PROT_READ, MAP_SHARED, p.fd,
		   TLOB_ARENA_MMAP_OFFSET + 64 * TLOB_ARENA_STRIDE) == MAP_FAILED);
	check(mmap(NULL, TLOB_ARENA_BYTES, PROT_READ, MAP_SHARED, p.fd,
		   TLOB_ARENA_MMAP_OFFSET + 4096) == MAP_FAILED);
	last = mmap(NULL, TLOB_ARENA_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, p.fd,
		    TLOB_ARENA_MMAP_OFFSET + 63 * TLOB_ARENA_STRIDE);
	check(last != MAP_FAILED && last[0].head.magic == TLOB_ABI_MAGIC);
	kick.arena = 64;
	check(ioctl(p.fd, TLOB_IOCTL_KICK, &kick) == -1 && errno == EINVAL);
	kick.arena = 63;
	check(ioctl(p.fd, TLOB_IOCTL_KICK, &kick) == 0);
	gen = arena_start(p.fd, last, 9, 0, 2 * MS, 63);
	sleep_ns(20 * MS);
	check(arena_stop(p.fd, last, 9, 0, gen) == -EOVERFLOW && rv_read(p.fd, &r) && r.tag == 63);
	munmap(last, TLOB_ARENA_BYTES);
	place_close(&p);
}

static void records_to_another_descriptor(void)
{
	struct place p = {.fd = rv_open()};
	int watcher = rv_open(), bad = -1, out = STDOUT_FILENO;
	struct tlob_record r;
	uint64_t gen;

	check(ioctl(p.fd, TLOB_IOCTL_NOTIFY, (void *)8) == -1 && errno == EFAULT);
	check(ioctl(p.fd, TLOB_IOCTL_NOTIFY, &bad) == -1 && errno == EINVAL);
	check(ioctl(p.fd, TLOB_IOCTL_NOTIFY, &out) == -1 && errno == EINVAL);
	check(ioctl(p.fd, TLOB_IOCTL_NOTIFY, &watcher) == 0);
	p.arena = arena_map(p.fd);
	check(ioctl(p.fd, TLOB_IOCTL_NOTIFY, &watcher) == -1 && errno == EBUSY);
	check(arena_kick(p.fd, TLOB_KICK_REGISTER, 1, 0, 0) == 0);
	gen = arena_start(p.fd, p.arena, 1, 0, 2 * MS, 5);
	sleep_ns(20 * MS);
	check(arena_stop(p.fd, p.arena, 1, 0, gen) == -EOVERFLOW);
	check(rv_read(watcher, &r) && r.tag == 5 && rv_empty(p.fd));
	/* the ring stays while there are arenas that write to it */
	close(watcher);
	gen = arena_start(p.fd, p.arena, 1, 0, 2 * MS, 5);
	sleep_ns(20 * MS);
	check(arena_stop(p.fd, p.arena, 1, 0, gen) == -EOVERFLOW);
	place_close(&p);
}

static void *take_slot_5(void *arg)
{
	struct place *p = arg;

	return (void *)(long)arena_kick(p->fd, TLOB_KICK_REGISTER, 5, 0, 0);
}

static void a_taken_slot(void)
{
	struct place p = seated(5);
	pthread_t thread;
	void *ret;

	pthread_create(&thread, NULL, take_slot_5, &p);
	pthread_join(thread, &ret);
	check((long)ret == -EBUSY);
	check(arena_kick(p.fd, TLOB_KICK_UNREGISTER, 0, 0, 0) == 0);
	pthread_create(&thread, NULL, take_slot_5, &p);
	pthread_join(thread, &ret);
	check((long)ret == 0);
	/* its thread has gone, and so it is free; the kernel tells the joiner a moment before it is */
	for (int i = 0; i < 100; i++) {
		ret = (void *)(long)arena_kick(p.fd, TLOB_KICK_REGISTER, 5, 0, 0);
		if ((long)ret != -EBUSY)
			break;
		sleep_ns(10 * MS);
	}
	check((long)ret == 0, "%ld", (long)ret);
	place_close(&p);
}

static void thread_clock(void)
{
	struct place p = seated(1);
	struct tlob_split a, b;
	uint64_t began, ended;

	do
		began = now_ns();
	while (!tlob_clock_try_read(&p.arena[1].slot.clock, began, &a));
	spin_ns(20 * MS);
	sleep_ns(50 * MS);
	do
		ended = now_ns();
	while (!tlob_clock_try_read(&p.arena[1].slot.clock, ended, &b));
	check(b.running_ns - a.running_ns + b.waiting_ns - a.waiting_ns + b.sleeping_ns -
		      a.sleeping_ns ==
	      ended - began);
	check(b.sleeping_ns - a.sleeping_ns > 40 * MS && b.switches > a.switches);
	check(b.running_ns - a.running_ns > 5 * MS);
	place_close(&p);
}

static void in_time(void)
{
	struct place p = seated(1);

	for (int i = 0; i < 1000; i++) {
		uint64_t gen = arena_start(p.fd, p.arena, 1, 0, 10000 * MS, i);

		check(gen != 0 && arena_stop(p.fd, p.arena, 1, 0, gen) == 0);
	}
	check(rv_empty(p.fd));
	place_close(&p);
}

static void noticed_while_open(bool sleeping)
{
	struct place p = seated(1);
	struct tlob_record overrun, closing;
	uint64_t gen = arena_start(p.fd, p.arena, 1, 3, 5 * MS, 77);

	if (sleeping)
		sleep_ns(50 * MS);
	else
		spin_ns(50 * MS);
	check(rv_read(p.fd, &overrun), "before the stop");
	check(arena_stop(p.fd, p.arena, 1, 3, gen) == -EOVERFLOW);
	check(rv_read(p.fd, &closing) && rv_empty(p.fd));
	check(overrun.type == TLOB_REC_OVERRUN && closing.type == TLOB_REC_CLOSE);
	check(overrun.tag == 77 && overrun.region == 3 && overrun.budget_ns == 5 * MS &&
	      overrun.window == closing.window);
	check(overrun.elapsed_ns >= 5 * MS && closing.elapsed_ns >= 50 * MS);
	check(sum_holds(&overrun) && sum_holds(&closing));
	check(!(overrun.flags & TLOB_F_SPOILED) && !(closing.flags & TLOB_F_SPOILED));
	check(overrun.tid == (unsigned int)syscall(SYS_gettid));
	if (sleeping)
		check(overrun.state == TLOB_SLEEPING && overrun.sleeping_ns > overrun.running_ns);
	else
		check(overrun.running_ns > overrun.sleeping_ns);
	place_close(&p);
}

static void noticed_while_running(void)
{
	noticed_while_open(false);
}

static void noticed_while_sleeping(void)
{
	noticed_while_open(true);
}

static void nested(void)
{
	struct place p = seated(2);
	struct tlob_record r;
	uint64_t gen[TLOB_MAX_DEPTH];
	unsigned int seen = 0;

	for (uint32_t i = 0; i < TLOB_MAX_DEPTH; i++)
		gen[i] = arena_start(p.fd, p.arena, 2, i, i % 2 ? 10000 * MS : (20 - i) * MS, i);
	sleep_ns(60 * MS);
	for (uint32_t i = 0; i < TLOB_MAX_DEPTH; i++)
		check(arena_stop(p.fd, p.arena, 2, i, gen[i]) == (i % 2 ? 0 : -EOVERFLOW), "%u", i);
	for (uint32_t i = 0; i < TLOB_MAX_DEPTH; i++) {
		check(rv_read(p.fd, &r));
		if (r.type == TLOB_REC_OVERRUN)
			seen |= 1u << r.tag;
	}
	check(seen == 0x55 && rv_empty(p.fd), "%x", seen);
	place_close(&p);
}

/* Many late and early windows: a record if and only if the stop says so. */
static void one_outcome_per_window(void)
{
	struct place p = seated(1);
	struct tlob_record r[64];
	unsigned int late = 0, records = 0, seed = 1;
	ssize_t n;

	fcntl(p.fd, F_SETFL, O_NONBLOCK);
	for (int i = 0; i < 20000; i++) {
		uint64_t gen =
			arena_start(p.fd, p.arena, 1, i % 8, 1000 + rand_r(&seed) % 50000, i);
		int ret;

		spin_ns(rand_r(&seed) % 50000);
		ret = arena_stop(p.fd, p.arena, 1, i % 8, gen);
		check(ret == 0 || ret == -EOVERFLOW, "%d", ret);
		late += ret == -EOVERFLOW;
		while ((n = read(p.fd, r, sizeof(r))) > 0)
			for (size_t j = 0; j < n / sizeof(r[0]); j++) {
				check(sum_holds(&r[j]));
				records += r[j].type == TLOB_REC_OVERRUN;
			}
	}
	check(late == records && late > 100, "%u late, %u records", late, records);
	printf("# %u of 20000 late\n", late);
	place_close(&p);
}

static void *expire_and_exit(void *arg)
{
	struct place *p = arg;

	check(arena_kick(p->fd, TLOB_KICK_REGISTER, 7, 0, 0) == 0);
	check(arena_start(p->fd, p->arena, 7, 0, 5 * MS, 1) != 0);
	check(arena_start(p->fd, p->arena, 7, 1, 300 * MS, 2) != 0);
	sleep_ns(30 * MS);
	return NULL;
}

static void exit_in_windows(void)
{
	struct place p = place_open();
	struct tlob_record r;
	pthread_t thread;

	pthread_create(&thread, NULL, expire_and_exit, &p);
	pthread_join(thread, NULL);
	sleep_ns(350 * MS);
	check(rv_read(p.fd, &r) && r.type == TLOB_REC_OVERRUN && r.tag == 1);
	check(rv_read(p.fd, &r) && r.type == TLOB_REC_CLOSE && r.tag == 1 &&
	      (r.flags & TLOB_F_ABANDONED));
	check(rv_empty(p.fd), "the other one was in time until its thread ended");
	place_close(&p);
}

static void fork_has_no_seat(void)
{
	struct place p = seated(1);
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		/* the memory may be read, but the child has no seat, and its clock does not run there */
		_exit(arena_kick(p.fd, TLOB_KICK_ARM, 0, 0, 1) != -ESRCH ||
		      p.arena[0].head.magic != TLOB_ABI_MAGIC);
	}
	check(waitpid(pid, &status, 0) == pid && status == 0, "status %x", status);
	place_close(&p);
}

static void disabled_meanwhile(void)
{
	struct place p = seated(1);
	uint64_t gen = arena_start(p.fd, p.arena, 1, 0, 10000 * MS, 0);

	tlob_set_enabled(false);
	check(p.arena[0].head.closed == 1);
	check(arena_stop(p.fd, p.arena, 1, 0, gen) == -ECANCELED);
	check(arena_kick(p.fd, TLOB_KICK_ARM, 0, 0, 1) == -ENODEV);
	check(arena_start(p.fd, p.arena, 1, 0, 1 * MS, 0) == 0, "a start finds out");
	tlob_set_enabled(true);
	check(arena_kick(p.fd, TLOB_KICK_REGISTER, 1, 0, 0) == -ENODEV, "this arena stays closed");
	check(rv_empty(p.fd));
	place_close(&p);
	p = seated(1);
	place_close(&p);
}

static void all_is_freed(void)
{
	for (int i = 0; i < 50; i++) {
		struct place p = seated(1 + i);

		check(arena_start(p.fd, p.arena, 1 + i, 0, (1 + i % 3) * MS, 0) != 0);
		place_close(&p);
	}
	check(rv_tasks_become(0), "%u", rv_tasks());
}

/* ---- programs that write what they like ---- */

static volatile bool over;
static struct place hostile_place;

static void *scribble(void *arg)
{
	unsigned int seed = (unsigned int)(long)arg;
	volatile uint64_t *words = (uint64_t *)hostile_place.arena;

	while (!over) {
		unsigned int at = rand_r(&seed) % (TLOB_ARENA_BYTES / 8);
		uint64_t value = (uint64_t)rand_r(&seed) << (rand_r(&seed) % 34);

		switch (rand_r(&seed) % 4) {
		case 0:
			words[at] = value;
			break;
		case 1: /* an armed window, late since ever */
			words[at & ~7u] = (value & ~3ULL) | TLOB_ARMED;
			break;
		case 2: /* all windows count */
			((volatile struct tlob_slot *)words)[1 + at % 63].used = 0xff;
			break;
		default:
			hostile_place.arena[0].head.next_wake_ns = rand_r(&seed) % 2 ? 0 :
										       TLOB_NEVER;
		}
	}
	return NULL;
}

static void *kick_at_random(void *arg)
{
	unsigned int seed = (unsigned int)(long)arg;
	unsigned long n = 0;

	while (!over) {
		int fd = hostile_place.fd;
		uint32_t slot = rand_r(&seed) % 66;

		arena_kick(fd, rand_r(&seed) % 7, slot, rand_r(&seed) % 10,
			   rand_r(&seed) % 2 ? 0 : now_ns() + 50000);
		n++;
	}
	printf("# %lu kicks\n", n);
	return NULL;
}

static void hostile_writers(void)
{
	struct place good = seated(1);
	pthread_t threads[4];
	uint64_t gen;

	hostile_place = place_open();
	over = false;
	pthread_create(&threads[0], NULL, scribble, (void *)1);
	pthread_create(&threads[1], NULL, scribble, (void *)2);
	pthread_create(&threads[2], NULL, kick_at_random, (void *)3);
	pthread_create(&threads[3], NULL, kick_at_random, (void *)4);
	/* another arena of the same process is none the worse */
	for (int i = 0; i < 100; i++) {
		gen = arena_start(good.fd, good.arena, 1, 0, 10000 * MS, i);
		sleep_ns(20 * MS);
		check(gen != 0 && arena_stop(good.fd, good.arena, 1, 0, gen) == 0);
	}
	over = true;
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	check(rv_empty(good.fd));
	place_close(&hostile_place);
	place_close(&good);
	check(rv_tasks_become(0), "%u", rv_tasks());
}

/* Seats come and go with threads, disabling and closing. */
static void *come_and_go(void *arg)
{
	unsigned int seed = (unsigned int)(long)arg;

	while (!over) {
		struct place p = {.fd = open("/dev/rv", O_RDWR)};

		p.arena = arena_map(p.fd);
		if (p.arena && arena_kick(p.fd, TLOB_KICK_REGISTER, 1, 0, 0) == 0)
			for (int i = 0; i < 20; i++) {
				uint64_t gen = arena_start(p.fd, p.arena, 1, i % 8,
							   1000 + rand_r(&seed) % 20000, 0);

				if (rand_r(&seed) % 4)
					arena_stop(p.fd, p.arena, 1, i % 8, gen);
			}
		if (p.arena)
			munmap(p.arena, TLOB_ARENA_BYTES);
		close(p.fd);
	}
	return NULL;
}

static void come_and_go_while_disabling(void)
{
	pthread_t threads[3];

	over = false;
	for (long i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, come_and_go, (void *)(i + 1));
	for (int i = 0; i < 40; i++) {
		sleep_ns(50 * MS);
		tlob_set_enabled(i % 2);
	}
	over = true;
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	tlob_set_enabled(true);
	check(rv_tasks_become(0), "%u", rv_tasks());
}

int main(void)
{
	static const struct tap_test tests[] = {
		T(layout),
		T(kick_errors),
		T(several_arenas),
		T(records_to_another_descriptor),
		T(a_taken_slot),
		ALSO(thread_clock, "sched_switch_accounting"),
		T(in_time),
		T(noticed_while_running),
		T(noticed_while_sleeping),
		T(nested),
		T(one_outcome_per_window),
		T(exit_in_windows),
		T(fork_has_no_seat),
		T(disabled_meanwhile),
		T(all_is_freed),
		T(hostile_writers),
		T(come_and_go_while_disabling),
	};

	tlob_set_enabled(true);
	return tap_run(tests, sizeof(tests) / sizeof(tests[0]));
}
