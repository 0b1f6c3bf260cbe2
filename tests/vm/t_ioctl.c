// SPDX-License-Identifier: GPL-2.0-or-later
/* START and STOP: every result they have, and the flaws of the origin that must not come back (its row ids in brackets). */
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "tap.h"

static int rv;

static void not_enabled(void)
{
	tlob_set_enabled(false);
	check(rv_start(rv, 10 * MS, -1, 0) == -ENODEV); /* C9 */
	check(rv_stop(rv) == -ESRCH);
	tlob_set_enabled(true);
}

static void start_stop_ok(void)
{
	check(rv_start(rv, 10000 * MS, -1, 0) == 0);
	check(rv_stop(rv) == 0);
}

static void within_budget(void)
{
	check(rv_start(rv, 10000 * MS, rv, 0) == 0);
	sleep_ns(10 * MS);
	check(rv_stop(rv) == 0); /* C15 */
	check(rv_empty(rv));
}

static void over_budget_cpu(void)
{
	struct tlob_record r;

	check(rv_start(rv, 5 * MS, rv, 0xabc) == 0);
	spin_ns(100 * MS);
	check(rv_stop(rv) == -EOVERFLOW); /* C16 */
	check(rv_read(rv, &r));
	check(r.type == TLOB_REC_OVERRUN && r.tag == 0xabc && r.budget_ns == 5 * MS &&
	      sum_holds(&r));
	check(r.elapsed_ns >= 5 * MS && r.elapsed_ns < 90 * MS, "noticed after %llu", r.elapsed_ns);
	check(r.running_ns > r.sleeping_ns, "running %llu sleeping %llu", r.running_ns,
	      r.sleeping_ns);
	check(r.tid == (unsigned int)syscall(SYS_gettid) && r.tgid == (unsigned int)getpid());
	check(strcmp(r.comm, "t_ioctl") == 0, "%s", r.comm);
	check(rv_empty(rv));
}

static void over_budget_sleep(void)
{
	struct tlob_record r;

	check(rv_start(rv, 3 * MS, rv, 0) == 0);
	sleep_ns(50 * MS);
	check(rv_stop(rv) == -EOVERFLOW);
	check(rv_read(rv, &r));
	check(r.state == TLOB_SLEEPING && r.sleeping_ns > r.running_ns && r.switches >= 1 &&
		      sum_holds(&r),
	      "state %u running %llu sleeping %llu", r.state, r.running_ns, r.sleeping_ns);
	check(rv_empty(rv));
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	check(sched_setaffinity(0, sizeof(set), &set) == 0);
}

static void unpin(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	for (int i = 0; i < 64; i++)
		CPU_SET(i, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static volatile bool hog_wanted;

/* A real-time hog takes the CPU away, once the window is open. */
static void *hog(void *arg)
{
	struct sched_param p = {50};

	pin(0);
	check(sched_setscheduler(0, SCHED_FIFO, &p) == 0);
	while (!hog_wanted)
		sleep_ns(MS);
	spin_ns(*(uint64_t *)arg);
	return NULL;
}

static void over_budget_waiting(void)
{
	uint64_t ns = 500 * MS;
	struct tlob_record r;
	pthread_t thread;

	pin(0);
	hog_wanted = false;
	pthread_create(&thread, NULL, hog, &ns);
	sleep_ns(50 * MS);
	check(rv_start(rv, 300 * MS, rv, 0) == 0);
	hog_wanted = true;
	spin_ns(500 * MS);
	check(rv_stop(rv) == -EOVERFLOW);
	pthread_join(thread, NULL);
	unpin();
	check(rv_read(rv, &r));
	check(r.state == TLOB_WAITING && r.waiting_ns > r.running_ns && sum_holds(&r),
	      "state %u running %llu waiting %llu", r.state, r.running_ns, r.waiting_ns);
}

static void double_start(void)
{
	struct tlob_record r;

	check(rv_start(rv, 30 * MS, rv, 1) == 0);
	check(rv_start(rv, 5000 * MS, rv, 2) == -EEXIST); /* C11: the first is undisturbed */
	sleep_ns(60 * MS);
	check(rv_stop(rv) == -EOVERFLOW);
	check(rv_read(rv, &r) && r.tag == 1);
	check(rv_stop(rv) == -ESRCH);
}

static void start_after_expiry_keeps_the_overrun(void) /* C14 */
{
	check(rv_start(rv, 1 * MS, -1, 0) == 0);
	sleep_ns(20 * MS);
	check(rv_start(rv, 1 * MS, -1, 0) == -EEXIST);
	check(rv_stop(rv) == -EOVERFLOW);
	check(rv_start(rv, 10000 * MS, -1, 0) == 0);
	check(rv_stop(rv) == 0);
}

static void stop_no_start(void)
{
	check(rv_stop(rv) == -ESRCH); /* C17 */
}

static void stop_on_another_descriptor(void) /* C18 */
{
	int other = rv_open();

	check(rv_start(rv, 10000 * MS, -1, 0) == 0);
	check(rv_stop(other) == -ESRCH);
	check(rv_stop(rv) == 0);
	close(other);
}

static void nested_on_two_descriptors(void)
{
	int other = rv_open();

	check(rv_start(rv, 10000 * MS, -1, 0) == 0);
	check(rv_start(other, 2 * MS, -1, 0) == 0);
	sleep_ns(20 * MS);
	check(rv_stop(other) == -EOVERFLOW);
	check(rv_stop(rv) == 0);
	close(other);
}

static void depth(void)
{
	int fds[TLOB_MAX_DEPTH + 1];

	for (int i = 0; i <= TLOB_MAX_DEPTH; i++) {
		fds[i] = rv_open();
		check(rv_start(fds[i], 10000 * MS, -1, 0) == (i < TLOB_MAX_DEPTH ? 0 : -ENOSPC),
		      "%d", i);
	}
	for (int i = 0; i <= TLOB_MAX_DEPTH; i++) {
		check(rv_stop(fds[i]) == (i < TLOB_MAX_DEPTH ? 0 : -ESRCH), "%d", i);
		close(fds[i]);
	}
}

static void *within(void *arg)
{
	check(rv_start(rv, 10000 * MS, -1, 0) == 0);
	sleep_ns(20 * MS);
	*(int *)arg = rv_stop(rv);
	return NULL;
}

static void *over(void *arg)
{
	check(rv_start(rv, 2 * MS, -1, 0) == 0);
	sleep_ns(20 * MS);
	*(int *)arg = rv_stop(rv);
	return NULL;
}

static void multi_thread(void)
{
	pthread_t a, b;
	int in = 1, out = 1;

	pthread_create(&a, NULL, within, &in);
	pthread_create(&b, NULL, over, &out);
	pthread_join(a, NULL);
	pthread_join(b, NULL);
	check(in == 0 && out == -EOVERFLOW, "%d %d", in, out);
}

static void self_watch(void)
{
	struct tlob_record r;
	int monitor = rv_open();

	check(rv_start(rv, 2 * MS, monitor, 77) == 0);
	spin_ns(30 * MS);
	check(rv_stop(rv) == -EOVERFLOW);
	check(rv_read(monitor, &r) && r.tag == 77);
	check(rv_empty(monitor) && rv_empty(rv));
	close(monitor);
}

static void closing_record(void)
{
	struct tlob_record overrun, closing;

	check(rv_start_closing(rv, 2 * MS, rv, 5) == 0);
	sleep_ns(30 * MS);
	check(rv_stop(rv) == -EOVERFLOW);
	check(rv_read(rv, &overrun) && rv_read(rv, &closing));
	check(overrun.type == TLOB_REC_OVERRUN && closing.type == TLOB_REC_CLOSE);
	check(overrun.window == closing.window && overrun.start_ns == closing.start_ns);
	check(closing.elapsed_ns >= 30 * MS && sum_holds(&closing));
}

static void invalid_flags(void)
{
	struct tlob_start_args args = {.threshold_ns = MS, .notify_fd = -1, .flags = 0x80};

	check(ioctl(rv, TLOB_IOCTL_TRACE_START, &args) == -1 && errno == EINVAL); /* C5 */
	args.threshold_ns = 0;
	args.flags = 0;
	check(ioctl(rv, TLOB_IOCTL_TRACE_START, &args) == -1 && errno == EINVAL); /* C4 */
}

static void notify_fd_bad(void)
{
	check(rv_start(rv, 10 * MS, STDOUT_FILENO, 0) == -EINVAL); /* C7 */
	check(rv_start(rv, 10 * MS, 999, 0) == -EBADF); /* C6 */
	check(rv_start(rv, 10000 * MS, -12345, 0) == 0); /* C8 */
	check(rv_stop(rv) == 0);
}

static void bad_commands(void)
{
	check(ioctl(rv, _IO('r', 1)) == -1 && errno == ENOTTY); /* C1 */
	check(ioctl(rv, _IO(RV_IOC_MAGIC, 0)) == -1 && errno == ENOTTY); /* C2 */
	check(ioctl(rv, _IO(RV_IOC_MAGIC, 3)) == -1 && errno == ENOTTY);
	check(ioctl(rv, _IO(RV_IOC_MAGIC, 0x20)) == -1 && errno == ENOTTY);
	check(ioctl(rv, _IOW(RV_IOC_MAGIC, 1, int), 0) == -1 && errno == ENOTTY);
	check(ioctl(rv, _IOR(RV_IOC_MAGIC, 1, struct tlob_start_args), 0) == -1 && errno == ENOTTY);
	check(ioctl(rv, TLOB_IOCTL_TRACE_START, (void *)8) == -1 && errno == EFAULT); /* C3 */
	check(TLOB_IOCTL_TRACE_START == 0x4018B901 && TLOB_IOCTL_TRACE_STOP == 0xB902);
}

static void overflow_threshold(void)
{
	check(rv_start(rv, ~0ULL / 2, -1, 0) == -ERANGE); /* C10 */
	check(rv_start(rv, ~0ULL, -1, 0) == -ERANGE);
	check(rv_start(rv, TLOB_BUDGET_MAX_NS + 1, -1, 0) == -ERANGE);
	check(rv_start(rv, TLOB_BUDGET_MIN_NS - 1, -1, 0) == -ERANGE);
	check(rv_start(rv, TLOB_BUDGET_MAX_NS, -1, 0) == 0);
	check(rv_stop(rv) == 0);
}

static void immediate_deadline(void)
{
	struct tlob_record r;
	int fd = rv_open(), over_budget = 0, records = 0;

	for (int i = 0; i < 200; i++) {
		int ret;

		check(rv_start(fd, 1000, fd, i) == 0);
		ret = rv_stop(fd);
		check(ret == 0 || ret == -EOVERFLOW, "%d", ret);
		over_budget += ret == -EOVERFLOW;
		/* one outcome: a record if and only if the stop said so */
		if (ret == -EOVERFLOW)
			check(rv_read(fd, &r) && r.tag == (unsigned int)i && sum_holds(&r));
		records += ret == -EOVERFLOW;
	}
	check(rv_empty(fd));
	printf("# %d of 200 over 1 us\n", over_budget);
	close(fd);
}

static void close_without_stop(void) /* C20 */
{
	int monitor = rv_open(), fd = rv_open();

	check(rv_start(fd, 20 * MS, monitor, 0) == 0);
	close(fd);
	sleep_ns(50 * MS);
	check(rv_empty(monitor));
	fd = rv_open();
	check(rv_stop(fd) == -ESRCH);
	close(fd);
	close(monitor);
}

/* A start that fails lets go of the descriptor it was given once, not twice. */
static void failed_start_keeps_the_descriptor(void) /* W4 */
{
	struct tlob_record r;
	int other = rv_open();

	check(rv_start(rv, 10000 * MS, -1, 0) == 0);
	for (int i = 0; i < 1000; i++)
		check(rv_start(rv, 10000 * MS, other, 0) == -EEXIST);
	check(rv_stop(rv) == 0);
	check(rv_start(rv, 5 * MS, other, 44) == 0);
	sleep_ns(30 * MS);
	check(rv_stop(rv) == -EOVERFLOW);
	check(rv_read(other, &r) && r.tag == 44);
	close(other);
}

/* What is due in a soft interrupt waits there, on a real-time kernel, for its thread to get the CPU. */
static void fires_under_a_real_time_hog(void) /* W8 */
{
	struct sched_param fifo = {.sched_priority = 99}, usual = {0};
	struct tlob_record r;
	cpu_set_t one, all;

	sched_getaffinity(0, sizeof(all), &all);
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	check(sched_setaffinity(0, sizeof(one), &one) == 0 &&
	      sched_setscheduler(0, SCHED_FIFO, &fifo) == 0);
	check(rv_start(rv, 20 * MS, rv, 0) == 0);
	spin_ns(400 * MS);
	check(rv_stop(rv) == -EOVERFLOW);
	check(sched_setscheduler(0, SCHED_OTHER, &usual) == 0 &&
	      sched_setaffinity(0, sizeof(all), &all) == 0);
	check(rv_read(rv, &r) && !(r.flags & TLOB_F_AT_STOP) && r.elapsed_ns < 300 * MS,
	      "noticed after %lu ms", (unsigned long)(r.elapsed_ns / MS));
}

static void own_descriptor_as_notify_closes(void) /* W6 */
{
	unsigned int before = rv_tasks();
	int fd = rv_open();

	check(rv_start(fd, 3000 * MS, fd, 0) == 0);
	close(fd);
	check(rv_tasks_become(before < 1 ? 0 : before) || rv_tasks() < before, "%u tasks",
	      rv_tasks());
}

static void disabled_meanwhile(void) /* C21 */
{
	check(rv_start(rv, 10000 * MS, -1, 0) == 0);
	tlob_set_enabled(false);
	check(rv_stop(rv) == -ECANCELED);
	check(rv_stop(rv) == -ESRCH);
	tlob_set_enabled(true);
	/* an overrun stays one */
	check(rv_start(rv, 1 * MS, -1, 0) == 0);
	sleep_ns(20 * MS);
	tlob_set_enabled(false);
	check(rv_stop(rv) == -EOVERFLOW);
	/* enabled again meanwhile: still cancelled, and the clock starts anew */
	tlob_set_enabled(true);
	check(rv_start(rv, 10000 * MS, -1, 0) == 0);
	tlob_set_enabled(false);
	tlob_set_enabled(true);
	check(rv_start(rv, 10000 * MS, -1, 0) == -EEXIST);
	check(rv_stop(rv) == -ECANCELED);
	check(rv_start(rv, 10000 * MS, -1, 0) == 0);
	check(rv_stop(rv) == 0);
}

/* 32-bit programs use the same layout. */
static void compat_32_bit(void)
{
#ifdef __x86_64__
	struct tlob_start_args *args = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
					    MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	long ret;

	*args = (struct tlob_start_args){.threshold_ns = 1000 * MS, .notify_fd = -1};
	__asm__ volatile("int $0x80"
			 : "=a"(ret)
			 : "a"(54L), "b"((long)rv), "c"(TLOB_IOCTL_TRACE_START), "d"(args)
			 : "memory", "r8", "r9", "r10", "r11");
	check((int)ret == 0 || (int)ret == -ENOSYS, "%ld", ret);
	if ((int)ret == 0)
		check(rv_stop(rv) == 0);
	munmap(args, 4096);
#endif
}

static void unprivileged(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		int fd;

		if (setgid(65534) || setuid(65534))
			_exit(10);
		fd = open("/dev/rv", O_RDWR);
		if (fd < 0)
			_exit(11);
		if (rv_start(fd, 2 * MS, fd, 0) != 0)
			_exit(12);
		sleep_ns(20 * MS);
		_exit(rv_stop(fd) == -EOVERFLOW ? 0 : 13);
	}
	check(waitpid(pid, &status, 0) == pid && status == 0, "status %x", status);
}

int main(void)
{
	static const struct tap_test tests[] = {
		T(not_enabled),
		T(start_stop_ok),
		T(within_budget),
		ALSO(over_budget_cpu,
		     "over_budget_running, deadline_fires_on_cpu, deadline_fires_running"),
		ALSO(over_budget_sleep,
		     "over_budget_sleeping, deadline_fires_off_cpu, deadline_fires_sleeping"),
		ALSO(over_budget_waiting, "deadline_fires_waiting"),
		T(double_start),
		T(start_after_expiry_keeps_the_overrun),
		ALSO(stop_no_start, "stop_without_start"),
		T(stop_on_another_descriptor),
		T(nested_on_two_descriptors),
		T(depth),
		T(multi_thread),
		T(self_watch),
		T(closing_record),
		T(invalid_flags),
		T(notify_fd_bad),
		T(bad_commands),
		T(overflow_threshold),
		T(immediate_deadline),
		T(close_without_stop),
		T(failed_start_keeps_the_descriptor),
		T(fires_under_a_real_time_hog),
		T(own_descriptor_as_notify_closes),
		T(disabled_meanwhile),
		T(compat_32_bit),
		T(unprivileged),
	};

	rv = rv_open();
	tlob_set_enabled(true);
	return tap_run(tests, sizeof(tests) / sizeof(tests[0]));
}
