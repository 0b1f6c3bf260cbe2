// SPDX-License-Identifier: GPL-2.0-or-later
/* Bindings of a descriptor: who may make them, what comes to its ring, what is counted, whose hits, and how they go. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "hist.h"
#include "uprobe.h"

static unsigned long at_start, at_stop, at_function;
static struct tlob_hist hist;

/* Known exits: none that the compiler could move away from the function's own end. */
__attribute__((noinline, noclone, used)) static void function(void (*inside)(void))
{
	if (inside)
		inside();
	__asm__ volatile("nop" ::: "memory");
}

static int bind_args(int fd, struct tlob_bind_args *args)
{
	int self_fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), ret;

	args->file = self_fd;
	ret = ioctl(fd, TLOB_IOCTL_BIND, args) == 0 ? 0 : -errno;
	close(self_fd);
	return ret;
}

static int bind_pair(int fd, uint32_t id, uint64_t budget)
{
	uint64_t stop = at_stop;
	struct tlob_bind_args args = {.budget_ns = budget,
				      .start = at_start,
				      .stops = (uintptr_t)&stop,
				      .nstops = 1,
				      .id = id};

	return bind_args(fd, &args);
}

static int bind_function(int fd, uint32_t id, uint64_t budget)
{
	struct tlob_bind_args args = {.budget_ns = budget, .start = at_function, .id = id};

	return bind_args(fd, &args);
}

static int unbind_id(int fd, uint32_t id)
{
	return ioctl(fd, TLOB_IOCTL_UNBIND, &id) == 0 ? 0 : -errno;
}

static int tally(int fd, uint32_t id, struct tlob_tally_args *args)
{
	*args = (struct tlob_tally_args){.hist = (uintptr_t)&hist, .id = id};
	memset(&hist, 0xff, sizeof(hist));
	return ioctl(fd, TLOB_IOCTL_TALLY, args) == 0 ? 0 : -errno;
}

static uint64_t windows(void)
{
	uint64_t n = 0;

	for (int i = 0; i < TLOB_HIST_BUCKETS; i++)
		n += hist.count[i];
	return n;
}

static int filter(int fd, pid_t pid, uint32_t flags, uint64_t cgroup)
{
	struct tlob_filter_args args = {.cgroup = cgroup, .pid = pid, .flags = flags};

	return ioctl(fd, TLOB_IOCTL_FILTER, &args) == 0 ? 0 : -errno;
}

/* ---- arguments ---- */

static void bind_errors(void)
{
	uint64_t stops[2] = {at_stop, at_stop + 1};
	const struct tlob_bind_args good = {.budget_ns = MS,
					    .start = at_start,
					    .stops = (uintptr_t)stops,
					    .nstops = 1,
					    .id = 1};
	struct tlob_bind_args args;
	int fd = rv_open(), null = open("/dev/null", O_RDONLY), dir = open("/tmp", O_RDONLY);
	struct tlob_tally_args t;

	args = good, args.flags = 4;
	check(bind_args(fd, &args) == -EINVAL, "flag");
	args = good, args.nstops = 2;
	check(bind_args(fd, &args) == -EINVAL, "two stops");
	args = good, args.nstops = 0, args.flags = TLOB_BIND_EXITS;
	check(bind_args(fd, &args) == -EINVAL, "no exit");
	args = good, args.nstops = TLOB_BIND_MAX_STOPS + 1, args.flags = TLOB_BIND_EXITS;
	check(bind_args(fd, &args) == -EINVAL, "too many exits");
	args = good, args.budget_ns = TLOB_BUDGET_MIN_NS - 1;
	check(bind_args(fd, &args) == -ERANGE, "budget below");
	args = good, args.budget_ns = TLOB_BUDGET_MAX_NS + 1;
	check(bind_args(fd, &args) == -ERANGE, "budget above");
	args = good, args.stops = 8;
	check(bind_args(fd, &args) == -EFAULT, "stops nowhere");
	args = good, args.start = 0x7fffffff0000;
	check(bind_args(fd, &args) == -EINVAL, "beyond the end");
	stops[0] = 0x7fffffff0000;
	args = good;
	check(bind_args(fd, &args) == -EINVAL, "stop beyond the end");
	stops[0] = 1ULL << 63;
	check(bind_args(fd, &args) == -EINVAL, "negative stop");
	stops[0] = at_stop;
	args = good, args.start = 1ULL << 63;
	check(bind_args(fd, &args) == -EINVAL, "negative start");
	args = good, args.file = -1;
	check(ioctl(fd, TLOB_IOCTL_BIND, &args) && errno == EBADF, "no file");
	args.file = null;
	check(ioctl(fd, TLOB_IOCTL_BIND, &args) && errno == EINVAL, "device");
	args.file = dir;
	check(ioctl(fd, TLOB_IOCTL_BIND, &args) && errno == EINVAL, "directory");
	check(ioctl(fd, TLOB_IOCTL_BIND, (void *)8) && errno == EFAULT);
	check(ioctl(fd, TLOB_IOCTL_TALLY, (void *)8) && errno == EFAULT);
	check(ioctl(fd, TLOB_IOCTL_UNBIND, (void *)8) && errno == EFAULT);
	check(ioctl(fd, TLOB_IOCTL_FILTER, (void *)8) && errno == EFAULT);
	check(unbind_id(fd, 1) == -ENOENT && tally(fd, 1, &t) == -ENOENT);
	check(bind_pair(fd, 1, MS) == 0 && bind_pair(fd, 1, MS) == -EEXIST);
	check(bind_pair(fd, 2, MS) == 0, "the same place, another id");
	t = (struct tlob_tally_args){.hist = 8, .id = 1};
	check(ioctl(fd, TLOB_IOCTL_TALLY, &t) && errno == EFAULT);
	check(filter(fd, 0, 0, 0) == -EBUSY, "too late for a filter");
	close(fd);
	fd = rv_open();
	check(filter(fd, -1, 0, 0) == -EINVAL && filter(fd, 1, 8, 0) == -EINVAL &&
	      filter(fd, 0, TLOB_FILTER_CHILDREN, 0) == -EINVAL);
	check(filter(fd, 4000000, 0, 0) == -ESRCH);
	check(filter(fd, getpid(), 0, 0) == 0 && filter(fd, getpid(), 0, 0) == -EBUSY);
	close(fd);
	close(null);
	close(dir);
}

static void not_for_everybody(void)
{
	int fd = rv_open(), status;
	pid_t pid = fork();

	if (pid == 0) {
		uint32_t id = 1;

		if (setuid(1000) != 0)
			_exit(9);
		_exit(bind_pair(fd, 1, MS) != -EPERM || unbind_id(fd, id) != -EPERM ||
		      filter(fd, 0, 0, 0) != -EPERM || ioctl(fd, TLOB_IOCTL_HOLD) == 0 ||
		      errno != EPERM);
	}
	check(waitpid(pid, &status, 0) == pid && status == 0, "status %d", status);
	close(fd);
}

/* As unshare -r: all capabilities, in a user namespace that anybody may make. */
static void become_namespace_root(void)
{
	if (setuid(1000) != 0 || prctl(PR_SET_DUMPABLE, 1) != 0 || unshare(CLONE_NEWUSER) != 0 ||
	    write_file("/proc/self/setgroups", "deny") != 0 ||
	    write_file("/proc/self/uid_map", "0 1000 1") != 0 || getuid() != 0)
		_exit(9);
}

static void become_nobody(void)
{
	if (setgid(1000) != 0 || setuid(1000) != 0)
		_exit(9);
}

/* Opens the device itself. Returns 0, or which of the checks failed. */
static int as_somebody(void)
{
	int fd = open("/dev/rv", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return 1;
	if (rv_start(fd, 10000 * MS, -1, 0) != 0 || rv_stop(fd) != 0)
		return 2;
	if (bind_pair(fd, 1, MS) != -EPERM)
		return 3;
	if (filter(fd, 0, 0, 0) != -EPERM || unbind_id(fd, 1) != -EPERM)
		return 4;
	if (ioctl(fd, TLOB_IOCTL_HOLD) == 0 || errno != EPERM)
		return 5;
	/* root of a namespace is nobody to the control files either */
	return write_file(TLOB_DIR "enable", "0") == -EACCES ? 0 : 6;
}

static void windows_without_privilege(void)
{
	void (*const become[])(void) = {become_nobody, become_namespace_root};
	int status, ways = access("/proc/self/ns/user", F_OK) ? 1 : 2;
	pid_t pid;

	if (ways == 1)
		printf("# this kernel has no user namespaces: not as root of one\n");
	for (int i = 0; i < ways; i++) {
		pid = fork();
		if (pid == 0) {
			become[i]();
			_exit(as_somebody());
		}
		check(waitpid(pid, &status, 0) == pid && status == 0, "%d: status %x", i, status);
	}
}

/* ---- windows ---- */

static void records_come(void)
{
	struct tlob_record over, end;
	int fd = rv_open();

	check(bind_pair(fd, 77, 200 * MS) == 0);
	mark_start();
	check(rv_empty(fd), "before its budget");
	sleep_ns(300 * MS);
	check(rv_read(fd, &over), "while it is open");
	mark_stop();
	check(rv_read(fd, &end));
	check(over.type == TLOB_REC_OVERRUN && over.region == 77 && over.flags == TLOB_F_PROBE &&
	      over.budget_ns == 200 * MS && over.tid == (unsigned int)getpid() && sum_holds(&over));
	check(end.type == TLOB_REC_CLOSE && end.flags == TLOB_F_PROBE &&
	      end.window == over.window && end.sleeping_ns > 200 * MS && sum_holds(&end));
	check(rv_empty(fd));
	close(fd);
}

static void tallies(void)
{
	struct tlob_tally_args t;
	int fd = rv_open();

	check(bind_pair(fd, 1, 140 * MS) == 0);
	check(tally(fd, 1, &t) == 0 && windows() == 0 && hist.max_ns == 0);
	for (int i = 0; i < 25; i++) {
		mark_start();
		sleep_ns(i == 7 ? 150 * MS : MS);
		mark_stop();
	}
	mark_stop(); /* of nothing */
	check(tally(fd, 1, &t) == 0);
	check(windows() == 25 && t.overruns >= 1 && t.refused == 0 && t.abandoned == 0,
	      "%lu windows, %lu late", windows(), (unsigned long)t.overruns);
	check(hist.max_ns >= 150 * MS && hist.max_ns < 5000 * MS, "%lu",
	      (unsigned long)hist.max_ns);
	check(unbind_id(fd, 1) == 0 && tally(fd, 1, &t) == -ENOENT);
	close(fd);
}

static void lost_stops(void)
{
	struct tlob_tally_args t;
	int fd = rv_open();

	check(bind_pair(fd, 1, 10000 * MS) == 0);
	for (int i = 0; i < 20; i++)
		mark_start(); /* each from the same frame */
	mark_stop();
	check(tally(fd, 1, &t) == 0 && windows() == 1 && t.abandoned == 19 && t.refused == 0,
	      "%lu windows, %lu abandoned, %lu refused", windows(), (unsigned long)t.abandoned,
	      (unsigned long)t.refused);
	close(fd);
}

static void nap(void)
{
	sleep_ns(400 * MS);
}

static void to_return(void)
{
	struct tlob_record r;
	struct tlob_tally_args t;
	int fd = rv_open();

	check(bind_function(fd, 5, 250 * MS) == 0);
	function(NULL);
	check(rv_empty(fd));
	function(nap);
	check(rv_read(fd, &r) && r.type == TLOB_REC_OVERRUN && r.region == 5);
	check(rv_read(fd, &r) && r.type == TLOB_REC_CLOSE && r.elapsed_ns >= 400 * MS);
	check(tally(fd, 5, &t) == 0 && windows() == 2 && t.overruns == 1, "%lu", windows());
	close(fd);
}

static int level;

static void once_more(void)
{
	if (--level > 0)
		function(once_more);
}

static void recursion_of_functions(void)
{
	struct tlob_tally_args t;
	int fd = rv_open();

	check(bind_function(fd, 5, 10000 * MS) == 0);
	level = 12;
	function(once_more);
	check(tally(fd, 5, &t) == 0 && windows() == TLOB_MAX_DEPTH && t.refused == 4 &&
		      t.abandoned == 0,
	      "%lu windows, %lu refused", windows(), (unsigned long)t.refused);
	level = 3;
	function(once_more);
	check(tally(fd, 5, &t) == 0 && windows() == TLOB_MAX_DEPTH + 3);
	close(fd);
}

static jmp_buf home;

static void leap(void)
{
	longjmp(home, 1);
}

static void left_by_a_jump(void)
{
	struct tlob_tally_args t;
	int fd = rv_open();

	check(bind_function(fd, 5, 10000 * MS) == 0);
	for (volatile int i = 0; i < 20; i++)
		if (!setjmp(home))
			function(leap);
	function(NULL);
	check(tally(fd, 5, &t) == 0 && windows() == 1 && t.abandoned == 20 && t.refused == 0,
	      "%lu windows, %lu abandoned", windows(), (unsigned long)t.abandoned);
	close(fd);
}

static void *leave_inside(void *arg)
{
	mark_start();
	return arg;
}

static void exit_inside(void)
{
	struct tlob_tally_args t;
	pthread_t thread;
	int fd = rv_open();

	check(bind_pair(fd, 1, 50 * MS) == 0);
	pthread_create(&thread, NULL, leave_inside, NULL);
	pthread_join(thread, NULL);
	sleep_ns(100 * MS);
	check(tally(fd, 1, &t) == 0 && windows() == 0 && t.abandoned == 1 && t.overruns == 0);
	check(rv_empty(fd), "no false overrun");
	close(fd);
}

static void full_ring_counts(void)
{
	struct tlob_tally_args t;
	struct tlob_mmap_page *page;
	int fd = rv_open();

	page = mmap(NULL, 2 * 4096, PROT_READ, MAP_SHARED, fd, 0);
	check(page != MAP_FAILED);
	check(bind_pair(fd, 1, 1000) == 0);
	for (int i = 0; i < 40; i++) {
		mark_start();
		spin_ns(100000);
		mark_stop();
	}
	check(tally(fd, 1, &t) == 0 && windows() == 40 && t.overruns == 40);
	check(page->data_head == page->capacity && page->dropped == 80 - page->capacity,
	      "%u of %u, %lu dropped", page->data_head, page->capacity,
	      (unsigned long)page->dropped);
	munmap(page, 2 * 4096);
	close(fd);
}

static void descriptors_do_not_mix(void)
{
	struct tlob_tally_args t;
	int a = rv_open(), b = rv_open();

	check(bind_pair(a, 1, 5 * MS) == 0 && bind_pair(b, 1, 10000 * MS) == 0);
	check(unbind_id(a, 2) == -ENOENT);
	mark_start();
	sleep_ns(30 * MS);
	mark_stop();
	check(tally(a, 1, &t) == 0 && windows() == 1 && t.overruns == 1);
	check(tally(b, 1, &t) == 0 && windows() == 1 && t.overruns == 0);
	check(!rv_empty(a) && rv_empty(b));
	close(a);
	mark_start();
	mark_stop();
	check(tally(b, 1, &t) == 0 && windows() == 2);
	close(b);
}

/* ---- whose ---- */

static void one_pair(void)
{
	mark_start();
	mark_stop();
}

static void child_pair(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		one_pair();
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

static uint64_t counted(int fd)
{
	struct tlob_tally_args t;

	check(tally(fd, 1, &t) == 0);
	return windows();
}

static void filter_process(void)
{
	int fd = rv_open();

	check(filter(fd, getpid(), 0, 0) == 0 && bind_pair(fd, 1, 10000 * MS) == 0);
	one_pair();
	child_pair();
	check(counted(fd) == 1, "%lu", windows());
	close(fd);
}

static void filter_children(void)
{
	int fd = rv_open(), go[2], status;
	pid_t pid, stranger;
	char byte;

	check(pipe(go) == 0);
	pid = fork();
	if (pid == 0) {
		close(go[1]);
		_exit(read(go[0], &byte, 1) != 1 || (one_pair(), child_pair(), 0));
	}
	check(filter(fd, pid, TLOB_FILTER_CHILDREN, 0) == 0 && bind_pair(fd, 1, 10000 * MS) == 0);
	one_pair();
	child_pair(); /* of another family */
	check(counted(fd) == 0);
	check(write(go[1], "g", 1) == 1 && waitpid(pid, &status, 0) == pid && status == 0);
	check(counted(fd) == 2, "%lu", windows());
	stranger = fork();
	if (stranger == 0) {
		one_pair();
		_exit(0);
	}
	waitpid(stranger, NULL, 0);
	check(counted(fd) == 2, "%lu", windows());
	close(fd);
	close(go[0]);
	close(go[1]);
}

static void filter_cgroup(void)
{
	struct stat st;
	char text[32];
	int fd = rv_open();

	mkdir("/tmp/cg", 0755);
	if (system("mount -t cgroup2 none /tmp/cg") != 0 || mkdir("/tmp/cg/a", 0755) != 0 ||
	    mkdir("/tmp/cg/a/b", 0755) != 0 || stat("/tmp/cg/a", &st) != 0) {
		check(false, "no control groups");
		return;
	}
	check(filter(fd, 0, 0, st.st_ino) == 0 && bind_pair(fd, 1, 10000 * MS) == 0);
	one_pair();
	check(counted(fd) == 0);
	snprintf(text, sizeof(text), "%d", getpid());
	check(write_file("/tmp/cg/a/b/cgroup.procs", text) == 0);
	one_pair();
	check(counted(fd) == 1, "a descendant's: %lu", windows());
	check(write_file("/tmp/cg/cgroup.procs", text) == 0);
	one_pair();
	check(counted(fd) == 1);
	close(fd);
	rmdir("/tmp/cg/a/b");
	rmdir("/tmp/cg/a");
	check(system("umount /tmp/cg") == 0);
}

static void only_self(void)
{
	uint64_t stop = at_stop;
	struct tlob_bind_args args = {.budget_ns = MS,
				      .start = at_start,
				      .stops = (uintptr_t)&stop,
				      .nstops = 1,
				      .flags = TLOB_BIND_SELF,
				      .id = 1};
	int fd = rv_open();

	check(filter(fd, 1, 0, 0) == 0 && bind_args(fd, &args) == 0);
	one_pair();
	child_pair();
	check(counted(fd) == 1, "%lu", windows());
	close(fd);
}

/* ---- how they go ---- */

static void closed_mid_window(void)
{
	unsigned int before = rv_tasks();
	int fd = rv_open();

	check(bind_pair(fd, 1, 50 * MS) == 0);
	mark_start();
	close(fd);
	sleep_ns(80 * MS);
	mark_stop();
	check(rv_tasks_become(before), "%u tasks, not %u", rv_tasks(), before);
}

static void killed_owner(void)
{
	unsigned int before = rv_tasks();
	char byte, names[128];
	int ready[2];
	pid_t pid;

	check(pipe(ready) == 0);
	pid = fork();
	if (pid == 0) {
		int fd = rv_open();

		if (bind_pair(fd, 1, 10000 * MS) != 0 || ioctl(fd, TLOB_IOCTL_HOLD) != 0 ||
		    write(ready[1], "r", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	check(read(ready[0], &byte, 1) == 1);
	mark_start();
	check(rv_tasks() > before, "it is measured");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	check(rv_tasks_become(before), "%u tasks, not %u", rv_tasks(), before);
	mark_start();
	check(rv_tasks() == before, "no probe is left");
	check(strstr(read_file(RV_DIR "enabled_monitors", names, sizeof(names)), "tlob"),
	      "it was enabled before");
	close(ready[0]);
	close(ready[1]);
}

static bool is_enabled(void)
{
	char text[8];

	return read_file(TLOB_DIR "enable", text, sizeof(text))[0] == '1';
}

static void hold(void)
{
	int a, b;

	tlob_set_enabled(false);
	a = rv_open(), b = rv_open();
	check(bind_pair(a, 1, MS) == 0);
	one_pair();
	check(counted(a) == 0 && !is_enabled(), "disabled");
	check(ioctl(a, TLOB_IOCTL_HOLD) == 0 && ioctl(a, TLOB_IOCTL_HOLD) == 0 && is_enabled());
	check(ioctl(b, TLOB_IOCTL_HOLD) == 0);
	one_pair();
	check(counted(a) == 1);
	close(a);
	check(is_enabled(), "the other still holds it");
	close(b);
	check(!is_enabled());
	a = rv_open();
	check(ioctl(a, TLOB_IOCTL_HOLD) == 0);
	tlob_set_enabled(true); /* from here on it is the administrator's */
	close(a);
	check(is_enabled());
	a = rv_open();
	check(ioctl(a, TLOB_IOCTL_HOLD) == 0);
	tlob_set_enabled(false); /* who overrules */
	check(!is_enabled());
	close(a);
	check(!is_enabled());
	tlob_set_enabled(true);
}

/* An inode alone would not do: the kernel dies of one that is in use when its file system goes. */
static void keep_the_file_system(void)
{
	uint64_t stop = at_stop;
	struct tlob_bind_args args = {.budget_ns = MS,
				      .start = at_start,
				      .stops = (uintptr_t)&stop,
				      .nstops = 1,
				      .id = 1};
	char command[400];
	int fd = rv_open();

	mkdir("/tmp/fs", 0755);
	snprintf(command, sizeof(command), "mount -t tmpfs none /tmp/fs && cp %s /tmp/fs/t",
		 self());
	check(system(command) == 0);
	args.file = open("/tmp/fs/t", O_RDONLY | O_CLOEXEC);
	check(ioctl(fd, TLOB_IOCTL_BIND, &args) == 0);
	close(args.file);
	check(umount("/tmp/fs") != 0 && errno == EBUSY, "with a descriptor's");
	close(fd);
	check(bind_ns("/tmp/fs/t", at_start, at_stop, MS) == 0);
	check(umount("/tmp/fs") != 0 && errno == EBUSY, "with one of the control file");
	check(umount2("/tmp/fs", MNT_DETACH) == 0);
	tlob_set_enabled(false); /* by its name it cannot be removed any more */
	tlob_set_enabled(true);
	rmdir("/tmp/fs");
}

static void *churn(void *arg)
{
	while (!__atomic_load_n((bool *)arg, __ATOMIC_RELAXED))
		one_pair();
	return NULL;
}

static void bind_and_unbind_under_fire(void)
{
	pthread_t threads[3];
	bool end = false;

	for (int i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, churn, &end);
	for (int i = 0; i < 15; i++) {
		int fd = rv_open();

		check(bind_pair(fd, 1, 1000) == 0 && bind_pair(fd, 2, 10000 * MS) == 0);
		sleep_ns(2 * MS);
		if (i % 2)
			check(unbind_id(fd, 1) == 0);
		close(fd);
	}
	__atomic_store_n(&end, true, __ATOMIC_RELAXED);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	check(rv_tasks_become(0), "%u tasks", rv_tasks());
}

int main(void)
{
	static const struct tap_test tests[] = {
		T(bind_errors),
		T(not_for_everybody),
		T(windows_without_privilege),
		T(records_come),
		T(tallies),
		T(lost_stops),
		T(to_return),
		T(recursion_of_functions),
		T(left_by_a_jump),
		T(exit_inside),
		T(full_ring_counts),
		T(descriptors_do_not_mix),
		T(filter_process),
		T(filter_children),
		T(filter_cgroup),
		T(only_self),
		T(closed_mid_window),
		T(killed_owner),
		T(hold),
		T(keep_the_file_system),
		T(bind_and_unbind_under_fire),
	};

	at_start = file_offset(mark_start);
	at_stop = file_offset(mark_stop);
	at_function = file_offset((void (*)(void))function);
	tlob_set_enabled(true);
	return tap_run(tests, sizeof(tests) / sizeof(tests[0]));
}
