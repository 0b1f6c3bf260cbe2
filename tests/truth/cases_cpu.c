/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Late because of the CPU: it ran, others ran, or nobody was allowed to. */
#include "truth.h"

#include <sys/stat.h>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <bpf/bpf.h>

static void *nice_hog(void *arg)
{
	truth_nice(-20);
	truth_wait_go();
	truth_burn(3 * TROUBLE);
	return NULL;
}

static void *worker(void *arg)
{
	truth_fifo(30);
	truth_wait_go();
	spin_ns(TROUBLE / 4);
	return NULL;
}

/* A window of little work on CPU 1, where @threads go once it is open. */
static int short_work(int threads)
{
	tlob_window_t w;

	pin_to(1);
	truth_join(truth_late);
	w = tlob_start(truth_late, 1);
	truth_release(threads);
	truth_burn(2 * MS);
	tlob_stop(w);
	return 0;
}

static int hog(void)
{
	truth_thread("hog", 1, nice_hog);
	return short_work(1);
}

static int fifo(void)
{
	truth_thread("rt-hog", 1, truth_fifo_hog);
	return short_work(1);
}

static int pool(void)
{
	for (int i = 0; i < 4; i++)
		truth_thread("worker", 1, worker);
	return short_work(4);
}

static int spin(void)
{
	tlob_window_t w;

	truth_fifo(20);
	truth_join(truth_late);
	w = tlob_start(truth_late, 1);
	truth_burn(TROUBLE);
	tlob_stop(w);
	return 0;
}

static int minor_faults(void)
{
	const size_t bytes = 128u << 20;
	tlob_window_t w;
	char *memory;

	truth_fifo(20);
	truth_join(truth_late);
	memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return 77;
	madvise(memory, bytes, MADV_NOHUGEPAGE);
	w = tlob_start(truth_late, 1);
	for (size_t i = 0; i < bytes; i += 4096)
		memory[i] = 1;
	tlob_stop(w);
	return 0;
}

/* ---- quota of a control group, version 1 here */

static bool write_to(const char *folder, const char *file, const char *text)
{
	char path[256];
	int fd;
	bool good;

	snprintf(path, sizeof(path), "%s/%s", folder, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	good = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	close(fd);
	return good;
}

static int throttled(void)
{
	char group[64], tid[16];
	tlob_window_t w;

	truth_join(truth_late);
	snprintf(group, sizeof(group), "/sys/fs/cgroup/cpu/tlob-truth-%d", getpid());
	snprintf(tid, sizeof(tid), "%ld", syscall(SYS_gettid));
	if (mkdir(group, 0755))
		return 77;
	if (!write_to(group, "cpu.cfs_period_us", "100000") ||
	    !write_to(group, "cpu.cfs_quota_us", "5000") || !write_to(group, "tasks", tid)) {
		rmdir(group);
		return 77;
	}
	w = tlob_start(truth_late, 1);
	truth_burn(12 * MS);
	tlob_stop(w);
	write_to("/sys/fs/cgroup/cpu", "tasks", tid);
	rmdir(group);
	return 0;
}

/* ---- a thread of the kernel, which frees a large BPF map: of the work queues that are not bound to a CPU, put on CPU 1 */

#define QUEUES "/sys/devices/virtual/workqueue"
#define ELEMENTS 100000u

static int large_map(void)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_NO_PREALLOC);
	uint64_t value[16] = {0};
	int fd = bpf_map_create(BPF_MAP_TYPE_HASH, "tlob_truth", 4, sizeof(value), ELEMENTS, &opts);

	for (uint32_t i = 0; fd >= 0 && i < ELEMENTS; i++)
		if (bpf_map_update_elem(fd, &i, value, BPF_ANY))
			return -1;
	return fd;
}

static int kernel_thread(void)
{
	char before[64] = "";
	tlob_window_t w;
	int map, fd = open(QUEUES "/cpumask", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, before, sizeof(before) - 1) <= 0)
		return 77;
	close(fd);
	map = large_map();
	if (map < 0 || !write_to(QUEUES, "cpumask", "2"))
		return 77;
	pin_to(1);
	truth_join(truth_late);
	truth_nice(19);
	w = tlob_start(truth_late, 1);
	close(map);
	truth_burn(8 * MS); /* it begins with the next tick */
	tlob_stop(w);
	before[strcspn(before, "\n")] = '\0';
	write_to(QUEUES, "cpumask", before);
	return 0;
}

/* ---- nested: both windows are late for the same reason */

static int nested(void)
{
	tlob_window_t outer, inner;

	truth_thread("rt-hog", 1, truth_fifo_hog);
	pin_to(1);
	truth_join(truth_late);
	outer = tlob_start(truth_late, 1);
	truth_burn(MS);
	inner = tlob_start(truth_quick, 2);
	truth_release(1);
	truth_burn(MS / 2);
	tlob_stop(inner);
	tlob_stop(outer);
	return 0;
}

const struct truth_case truth_cpu[] = {
	{.name = "hog",
	 .what = "a thread with priority takes the CPU",
	 .fn = hog,
	 .cause = TLOBCTL_CAUSE_BEHIND,
	 .who = "hog",
	 .crowded = true,
	 .least_ns = 100 * MS},
	{.name = "fifo",
	 .what = "a SCHED_FIFO thread takes the CPU",
	 .fn = fifo,
	 .cause = TLOBCTL_CAUSE_BEHIND,
	 .who = "rt-hog",
	 .least_ns = 35 * MS},
	{.name = "pool",
	 .what = "four threads of one name take it in turns",
	 .fn = pool,
	 .cause = TLOBCTL_CAUSE_BEHIND,
	 .who = "worker",
	 .least_ns = 35 * MS},
	{.name = "kernel",
	 .what = "a thread of the kernel takes the CPU",
	 .fn = kernel_thread,
	 .cause = TLOBCTL_CAUSE_BEHIND,
	 .who = "(kernel)",
	 .crowded = true,
	 .least_ns = 8 * MS},
	{.name = "throttled",
	 .what = "the CPU quota of its control group is used up",
	 .fn = throttled,
	 .cause = TLOBCTL_CAUSE_THROTTLED,
	 .least_ns = 30 * MS},
	{.name = "spin",
	 .what = "it computes for longer than its budget",
	 .fn = spin,
	 .cause = TLOBCTL_CAUSE_RUNNING,
	 .least_ns = 39 * MS},
	{.name = "minor-faults",
	 .what = "the kernel clears memory for it",
	 .fn = minor_faults,
	 .cause = TLOBCTL_CAUSE_RUNNING,
	 .least_ns = 5 * MS},
	{.name = "nested",
	 .what = "a SCHED_FIFO thread takes the CPU in an inner region",
	 .fn = nested,
	 .cause = TLOBCTL_CAUSE_BEHIND,
	 .who = "rt-hog",
	 .least_ns = 35 * MS},
	{.name = NULL},
};
